package launch

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// tellCache makes Go's test cache see what the program is made of, which the tests that build it don't import: a result is not
// taken from the cache when one of these files or folders has another size or time. Go notes by itself what tests open,
// in a file that it names to the process, but nothing before testing.M.Run and after it; so the notes are written here, when it is over.
// A line that it did not understand would only keep the result from being cached.
func tellCache() error {
	notes := flag.Lookup("test.testlogfile")
	if notes == nil || notes.Value.String() == "" {
		return nil
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, name := range []string{"go.mod", "go.sum"} {
		fmt.Fprintf(&lines, "open %s\n", filepath.Join(root, name))
	}
	for _, name := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return err
			case d.Name() == "testdata":
				return filepath.SkipDir
			}
			fmt.Fprintf(&lines, "open %s\n", path) // of a folder all files count
			return nil
		})
		if err != nil {
			return err
		}
	}
	file, err := os.OpenFile(notes.Value.String(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(lines.Bytes())
	return errors.Join(err, file.Close())
}

// moduleRoot is the folder of the program's module: a test runs in that of its package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "barnabas")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("not in the module's folder: no cmd/barnabas above")
		}
		dir = up
	}
}
