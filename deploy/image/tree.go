package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tree is the files of the image, written in the order of their names with one time and one owner.
type tree struct {
	entries map[string]entry
	time    time.Time
}

type entry struct {
	mode    int64
	content []byte
	link    string // a symbolic link's target
	dir     bool
}

func newTree(t time.Time) *tree { return &tree{entries: map[string]entry{}, time: t} }

// add puts an entry and the directories above it.
func (t *tree) add(name string, e entry) {
	t.entries[name] = e
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, there := t.entries[dir]; there {
			break
		}
		t.entries[dir] = entry{mode: 0o755, dir: true}
	}
}

// layer is the tree as a tar.
func (t *tree) layer() ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(t.entries)) {
		e := t.entries[name]
		h := &tar.Header{Name: name, Mode: e.mode, ModTime: t.time, Format: tar.FormatPAX, Typeflag: tar.TypeReg, Size: int64(len(e.content))}
		switch {
		case e.dir:
			h.Name, h.Typeflag = name+"/", tar.TypeDir
		case e.link != "":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.link, 0o777
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

// write puts the files into a directory.
func (t *tree) write(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(t.entries)) {
		e, file := t.entries[name], filepath.Join(dir, name)
		var err error
		switch {
		case e.dir:
			err = os.MkdirAll(file, 0o755)
		case e.link != "":
			err = os.Symlink(e.link, file)
		default:
			err = os.WriteFile(file, e.content, 0o644)
		}
		if err == nil && e.link == "" {
			err = os.Chmod(file, permissions(e.mode))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// permissions are a tar's mode as Go has it.
func permissions(mode int64) os.FileMode {
	p := os.FileMode(mode & 0o777)
	if mode&0o1000 != 0 {
		p |= os.ModeSticky
	}
	return p
}

// applets are busybox's commands that people type in a pod to look around. bash is a shell of its own.
var applets = strings.Fields(`sh ash cat ls cp mv rm mkdir rmdir ln touch chmod df du find grep egrep sed awk sort uniq head tail wc cut tr tee xargs less more vi
	ps top kill sleep date env id whoami hostname uname free uptime mount stat test [ true false echo printf seq basename dirname readlink realpath
	nc netstat nslookup ping traceroute wget ip ifconfig route telnet tar gzip gunzip zcat md5sum sha256sum od hexdump strings watch timeout which clear`)

// fillShell puts the static bash and busybox, with links for its commands.
func fillShell(ctx context.Context, t *tree, packages []debianPackage) error {
	places := map[string]string{"bash-static": "bin/bash", "busybox-static": "bin/busybox"}
	for _, p := range packages {
		contents, err := p.contents(ctx)
		if err != nil {
			return err
		}
		program, err := fileOf(contents, "bin/bash-static", "bin/busybox")
		if err != nil {
			return fmt.Errorf("%s: %w", p.file, err)
		}
		t.add(places[p.name], entry{mode: 0o755, content: program})
		notice, err := fileOf(contents, "usr/share/doc/"+p.name+"/copyright")
		if err != nil {
			return fmt.Errorf("%s: %w", p.file, err)
		}
		t.add("usr/share/doc/"+p.name+"/copyright", entry{mode: 0o644, content: notice})
	}
	for _, name := range applets {
		t.add("bin/"+name, entry{link: "busybox"})
	}
	return nil
}

// fileOf finds the first file of a tar that has one of the names.
func fileOf(archive []byte, names ...string) ([]byte, error) {
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil, fmt.Errorf("has no %s", strings.Join(names, " or "))
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg && slices.Contains(names, strings.TrimPrefix(h.Name, "./")) {
			return io.ReadAll(r)
		}
	}
}

// kafkaBin is where people look for Kafka's tools in a pod.
const kafkaBin = "opt/kafka/bin"

// fillProgram puts the program, its names, the places of the images it stands in for, and the little that programs
// expect of a system. Directories for data are anybody's, since a cluster may give the container any user id.
func fillProgram(t *tree, binary string, links []string) error {
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	t.add(kafkaBin+"/barnabas", entry{mode: 0o755, content: program})
	for _, name := range links {
		t.add(kafkaBin+"/"+name, entry{link: "barnabas"})
	}
	for name, target := range map[string]string{
		"usr/bin/barnabas":       "/opt/kafka/bin/barnabas",
		"usr/bin/start-kafka.sh": "/opt/kafka/bin/barnabas", // wurstmeister/kafka's command
	} {
		t.add(name, entry{link: target})
	}
	for name, content := range map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/bin/bash\nbarnabas:x:65532:0:Barnabas:/tmp:/bin/bash\n",
		"etc/group":         "root:x:0:\nbarnabas:x:65532:\n",
		"etc/nsswitch.conf": "hosts: files dns\n",
		"etc/os-release":    "ID=barnabas\nNAME=Barnabas\n",
	} {
		t.add(name, entry{mode: 0o644, content: []byte(content)})
	}
	for _, dir := range []string{"tmp", "data", "datalog", "kafka", "var/lib/kafka/data", "bitnami/kafka/data"} {
		t.add(dir, entry{mode: 0o1777, dir: true})
	}
	return nil
}
