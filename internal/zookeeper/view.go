package zookeeper

import (
	"slices"
	"strings"

	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/registry"
	"barnabas/internal/zookeeper/tree"
)

// clusterRoot is what follows the chroot in the keys of a cluster's metadata.
const clusterRoot = "/barnabas/"

// clusterKey finds the chroot in a key of a cluster's metadata, and the key below that.
func clusterKey(key string) (chroot, inside string, ok bool) {
	at := strings.Index(key, clusterRoot)
	if at < 0 || at > 0 && key[0] != '/' {
		return "", "", false
	}
	return key[:at], key[at+len(clusterRoot):], true
}

// paint takes a revision of a cluster's metadata, and tells those who watch its picture; mu is held.
func (r *replica) paint(at metadata.Revision, chroot string, events []metadata.Event) {
	if r.unreadable[chroot] {
		return
	}
	picture := r.pictures[chroot]
	if picture == nil {
		picture = registry.New(zxidAt)
		r.pictures[chroot] = picture
	}
	happened, err := picture.Apply(at, events)
	if err != nil {
		r.giveUpPicture(chroot, err)
		r.pictures[chroot], r.unreadable[chroot] = registry.New(zxidAt), true
		return
	}
	for _, e := range happened {
		r.watches.Fire(tree.Event{Zxid: zxidAt(at), Type: e.Type, Path: chroot + e.Path}, (*conn).notify)
	}
}

// giveUpPicture says that a cluster can't be shown; the tree goes on without it.
func (r *replica) giveUpPicture(chroot string, err error) {
	r.log.Error("zookeeper: the metadata of a cluster can't be read, its picture is empty", "chroot", chroot, "error", err)
}

// pictured finds the picture that a path is of, and the path within it; mu is held.
func (r *replica) pictured(path string) (chroot string, p *registry.Picture, inside string) {
	for chroot, p := range r.pictures {
		if strings.HasPrefix(path, chroot) && registry.Owns(path[len(chroot):]) {
			return chroot, p, path[len(chroot):]
		}
	}
	return "", nil, ""
}

// shown is a node of a picture. Ok is false where the path is not a picture's, or the ordinary tree holds something there
// that waits for its topic.
func (r *replica) shown(path string) (n registry.Node, there, ok bool) {
	_, p, inside := r.pictured(path)
	if p == nil {
		return registry.Node{}, false, false
	}
	if n, there = p.Node(inside); there {
		return n, true, true
	}
	_, waits := r.tree.ACLOf(path)
	return registry.Node{}, false, !waits
}

// mount is a directory that is there because clusters are: a chroot, or a directory above one, or that of the consumers.
// Names are what pictures add to what the tree has there.
func (r *replica) mount(path string) (n registry.Node, names []string, ok bool) {
	for chroot, p := range r.pictures {
		switch {
		case !p.Exists():
			continue
		case path == chroot || path == "/" && chroot == "":
			names = append(names, p.Tops()...)
		case path == chroot+registry.ConsumersPath:
		case path == "/":
			first, _, _ := strings.Cut(chroot[1:], "/")
			names = append(names, first)
		case strings.HasPrefix(chroot, path+"/"):
			next, _, _ := strings.Cut(chroot[len(path)+1:], "/")
			names = append(names, next)
		default:
			continue
		}
		n, ok = p.Born(), true
	}
	if ok {
		n.Open = true
		slices.Sort(names)
		names = slices.Compact(names)
	}
	return n, names, ok
}

// pictureACL is the ACL of the picture's nodes: who may write is decided by what it means.
func pictureACL(n registry.Node) []jute.ACL {
	if n.Open {
		return jute.OpenACL
	}
	return []jute.ACL{{Perms: jute.PermRead, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
}

// data reads a node of the tree or of a picture; mu is held, here and below.
func (r *replica) data(path string, ids []jute.ID) ([]byte, jute.Stat, jute.Code) {
	if n, there, ok := r.shown(path); ok {
		return n.Data, n.Stat, found(there)
	}
	data, stat, code := r.tree.Data(path, ids)
	stat, code = r.mounted(path, stat, code)
	return data, stat, code
}

func found(there bool) jute.Code {
	if there {
		return jute.OK
	}
	return jute.NoNode
}

// mounted is the stat of a node with what pictures add to it.
func (r *replica) mounted(path string, stat jute.Stat, code jute.Code) (jute.Stat, jute.Code) {
	if code != jute.OK && code != jute.NoNode {
		return stat, code
	}
	n, names, ok := r.mount(path)
	if !ok {
		return stat, code
	}
	if code == jute.NoNode {
		stat = n.Stat
	}
	for _, name := range names {
		if _, both := r.tree.ACLOf(strings.TrimSuffix(path, "/") + "/" + name); !both {
			stat.NumChildren++
			stat.Cversion++
		}
	}
	stat.Pzxid = max(stat.Pzxid, n.Stat.Pzxid)
	return stat, jute.OK
}

func (r *replica) stat(path string, ids []jute.ID) (jute.Stat, jute.Code) {
	if n, there, ok := r.shown(path); ok {
		return n.Stat, found(there)
	}
	stat, code := r.tree.Stat(path, ids)
	return r.mounted(path, stat, code)
}

func (r *replica) children(path string, ids []jute.ID) ([]string, jute.Stat, jute.Code) {
	if n, there, ok := r.shown(path); ok {
		if !there {
			return nil, jute.Stat{}, jute.NoNode
		}
		_, p, inside := r.pictured(path)
		return p.Children(inside), n.Stat, jute.OK
	}
	names, stat, code := r.tree.Children(path, ids)
	stat, code = r.mounted(path, stat, code)
	if code == jute.OK {
		_, more, _ := r.mount(path)
		for _, name := range more {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, stat, code
}

func (r *replica) acl(path string, ids []jute.ID) ([]jute.ACL, jute.Stat, jute.Code) {
	if n, there, ok := r.shown(path); ok {
		return pictureACL(n), n.Stat, found(there)
	}
	acl, stat, code := r.tree.ACL(path, ids)
	if code == jute.NoNode {
		if n, _, ok := r.mount(path); ok {
			acl = pictureACL(n)
		}
	}
	stat, code = r.mounted(path, stat, code)
	return acl, stat, code
}

// descendants counts the nodes below a node.
func (r *replica) descendants(path string, ids []jute.ID) (int32, jute.Code) {
	if len(r.pictures) == 0 {
		return r.tree.Descendants(path, ids)
	}
	names, _, code := r.children(path, ids)
	count := int32(len(names))
	for _, name := range names {
		below, _ := r.descendants(strings.TrimSuffix(path, "/")+"/"+name, ids)
		count += below
	}
	return count, code
}

// missed is what a client that sets its watch again has not heard of, 0 for nothing.
func (r *replica) missed(kind int32, path string, seen int64) jute.EventType {
	n, there, ok := r.shown(path)
	if !ok {
		mounted, _, isMount := r.mount(path)
		if _, real := r.tree.ACLOf(path); !isMount || real {
			return r.tree.Missed(kind, path, seen)
		}
		n, there = mounted, true
	}
	switch {
	case kind == tree.MissedExist && there:
		return jute.EventCreated
	case kind == tree.MissedExist:
	case !there:
		return jute.EventDeleted
	case kind == tree.MissedData && n.Stat.Mzxid > seen:
		return jute.EventDataChanged
	case kind == tree.MissedChild && n.Stat.Pzxid > seen:
		return jute.EventChildrenChanged
	}
	return 0
}

// support makes the directories of a draft in which a write is to take place and that are only there because a cluster is:
// the one that is written, or is to get a child. The writer holds mu for reading.
func (r *replica) support(d *tree.Draft, req *jute.Request) {
	if len(r.pictures) == 0 {
		return
	}
	paths := []string{req.Path}
	for i := range req.Parts {
		paths = append(paths, req.Parts[i].Path)
	}
	for _, path := range paths {
		parent := path
		if req.Op != jute.OpSetData && req.Op != jute.OpSetACL {
			parent = path[:max(0, strings.LastIndexByte(path, '/'))]
		}
		_, p, inside := r.pictured(parent)
		_, _, isMount := r.mount(parent)
		if isMount || p != nil && inside == registry.StagedParent {
			d.Ensure(parent)
		}
	}
}
