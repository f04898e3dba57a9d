package tree

import "strings"

// The nodes that are always there.
const (
	root       = "/"
	systemNode = "/zookeeper"
	quotaNode  = "/zookeeper/quota"
	configNode = "/zookeeper/config"
)

func special(path string) bool {
	return path == root || path == systemNode || path == quotaNode || path == configNode
}

// parentOf is the path above; ok is false for a path that can't have one.
func parentOf(path string) (parent string, ok bool) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 || strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	return canonical(path[:slash]), true
}

// canonical gives the root its one name: ZooKeeper knows it by the empty path too.
func canonical(path string) string {
	if path == "" {
		return root
	}
	return path
}

func nameOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// valid says whether a path may be a node's. Java sees UTF-16, of which surrogates and private characters are not
// allowed, so that nothing outside the basic plane is.
func valid(path string) bool {
	if path == root {
		return true
	}
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		return false
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	for _, c := range path {
		if c <= 0x1f || c >= 0x7f && c <= 0x9f || c >= 0xd800 && c <= 0xf8ff || c >= 0xfff0 {
			return false
		}
	}
	return true
}
