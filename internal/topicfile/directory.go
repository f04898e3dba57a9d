package topicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// maxFileBytes bounds a file: a ConfigMap holds a mebibyte in all.
	maxFileBytes = 2 << 20
	// maxFiles bounds the files that are read of a directory.
	maxFiles = 10_000
)

// ReadDir reads all documents of a directory: the files called *.yaml, *.yml and *.json. What begins with a dot is not looked at:
// there Kubernetes keeps what the files are links to. A directory that is not there has no documents: an optional
// ConfigMap may come later.
func ReadDir(dir string) *Set {
	s := &Set{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.problem(dir, "", "%v", err)
		}
		return s
	}
	files := 0
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			continue
		}
		if files++; files > maxFiles {
			s.problem(dir, "", "more than %d files: the rest is not read", maxFiles)
			break
		}
		s.readFile(filepath.Join(dir, name))
	}
	s.settle()
	return s
}

func (s *Set) readFile(path string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it was replaced while we looked; the next time tells
		return
	case err == nil && info.Size() > maxFileBytes:
		s.problem(path, "", "it has %d bytes, and %d are the most that is read", info.Size(), maxFileBytes)
		return
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		s.problem(path, "", "%v", err)
		return
	}
	s.Parse(path, text)
}
