package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// each runs a test on every file system, in an empty directory.
func each(t *testing.T, test func(t *testing.T, fsys FS, dir string)) {
	t.Run("os", func(t *testing.T) { test(t, OS, t.TempDir()) })
	t.Run("mem", func(t *testing.T) {
		m := NewMem()
		must(t, m.MkdirAll("/d", 0o755))
		test(t, m, "/d")
	})
	t.Run("faults", func(t *testing.T) {
		test(t, WithFaults(OS, func(Op) error { return nil }), t.TempDir())
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}

func write(t *testing.T, fsys FS, name, content string, sync bool) {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	must(t, err)
	if sync {
		must(t, f.Sync())
	}
	must(t, f.Close())
}

func read(t *testing.T, fsys FS, name string) string {
	t.Helper()
	data, err := ReadFile(fsys, name)
	must(t, err)
	return string(data)
}

func TestFilesByPosition(t *testing.T) {
	each(t, func(t *testing.T, fsys FS, dir string) {
		f, err := fsys.Create(filepath.Join(dir, "a"))
		must(t, err)
		_, err = f.WriteAt([]byte("world"), 6)
		must(t, err)
		_, err = f.WriteAt([]byte("hello "), 0)
		must(t, err)
		buf := make([]byte, 20)
		n, err := f.ReadAt(buf, 0)
		if string(buf[:n]) != "hello world" || err != io.EOF {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		must(t, f.Truncate(5))
		must(t, f.Truncate(7))
		if size, err := f.Size(); size != 7 || err != nil {
			t.Fatalf("size %d, %v", size, err)
		}
		must(t, f.Sync())
		must(t, f.Close())
		if got := read(t, fsys, f.Name()); got != "hello\x00\x00" {
			t.Fatalf("read %q", got)
		}
		readOnly, err := fsys.Open(f.Name())
		must(t, err)
		defer readOnly.Close()
		if _, err := readOnly.WriteAt([]byte("x"), 0); err == nil {
			t.Fatal("wrote to a file that was opened for reading")
		}
		if (f.OS() != nil) != (fsys != nil && filepath.Dir(dir) != "/") {
			t.Fatalf("OS() = %v in %s", f.OS(), dir)
		}
	})
}

func TestReadFileOfAnySize(t *testing.T) {
	each(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "a")
		for _, size := range []int{0, 1, smallFile - 1, smallFile, smallFile + 1, 3*smallFile + 1, 50 * smallFile} {
			content := strings.Repeat("0123456789abcdef", size/16+1)[:size]
			write(t, fsys, name, content, false)
			if got := read(t, fsys, name); got != content {
				t.Fatalf("%d bytes of %d", len(got), size)
			}
		}
		_, err := ReadFile(fsys, filepath.Join(dir, "missing"))
		wantErr(t, err, fs.ErrNotExist)
		if _, err := ReadFile(fsys, dir); err == nil {
			t.Fatal("read a directory")
		}
	})
}

func TestErrorsAreThoseOfOS(t *testing.T) {
	each(t, func(t *testing.T, fsys FS, dir string) {
		missing := filepath.Join(dir, "missing")
		_, err := fsys.Open(missing)
		wantErr(t, err, fs.ErrNotExist)
		wantErr(t, fsys.Remove(missing), fs.ErrNotExist)
		wantErr(t, fsys.Rename(missing, missing+"2"), fs.ErrNotExist)
		_, err = fsys.Stat(missing)
		wantErr(t, err, fs.ErrNotExist)
		_, err = fsys.ReadDir(missing)
		wantErr(t, err, fs.ErrNotExist)
		must(t, fsys.RemoveAll(missing))
		write(t, fsys, filepath.Join(dir, "a"), "x", false)
		_, err = fsys.OpenFile(filepath.Join(dir, "a"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		wantErr(t, err, fs.ErrExist)
		if fsys.Remove(dir) == nil {
			t.Fatal("removed a directory that isn't empty")
		}
	})
}

func TestDirectories(t *testing.T) {
	each(t, func(t *testing.T, fsys FS, dir string) {
		must(t, fsys.MkdirAll(filepath.Join(dir, "x", "y"), 0o755))
		must(t, fsys.Mkdir(filepath.Join(dir, "x", "z"), 0o755))
		if err := fsys.Mkdir(filepath.Join(dir, "x", "z"), 0o755); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a directory made twice: %v", err)
		}
		if err := fsys.Mkdir(filepath.Join(dir, "missing", "z"), 0o755); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a directory in one that is missing: %v", err)
		}
		must(t, fsys.Remove(filepath.Join(dir, "x", "z")))
		write(t, fsys, filepath.Join(dir, "x", "y", "file"), "content", true)
		must(t, fsys.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "z")))
		must(t, fsys.SyncDir(dir))
		if got := read(t, fsys, filepath.Join(dir, "z", "y", "file")); got != "content" {
			t.Fatalf("read %q", got)
		}
		write(t, fsys, filepath.Join(dir, "a"), "a", false)
		entries, err := fsys.ReadDir(dir)
		must(t, err)
		if len(entries) != 2 || entries[0].Name() != "a" || !entries[1].IsDir() {
			t.Fatalf("entries %v", entries)
		}
		when := time.UnixMilli(1_600_000_000_000)
		must(t, fsys.Chtimes(filepath.Join(dir, "a"), when))
		info, err := fsys.Stat(filepath.Join(dir, "a"))
		must(t, err)
		if info.Size() != 1 || !info.ModTime().Equal(when) {
			t.Fatalf("info %v", info)
		}
		must(t, fsys.RemoveAll(filepath.Join(dir, "z")))
		for content, replace := range map[string]func(FS, string, []byte) error{"newer": ReplaceFile, "new": WriteFileAtomic} {
			must(t, replace(fsys, filepath.Join(dir, "a"), []byte(content)))
			if got := read(t, fsys, filepath.Join(dir, "a")); got != content {
				t.Fatalf("read %q", got)
			}
			if _, err := fsys.Stat(filepath.Join(dir, "a.tmp")); err == nil {
				t.Fatal("the temporary file is left")
			}
		}
		space, err := fsys.Free(dir)
		must(t, err)
		if space.Total < space.Available || space.Available <= 0 {
			t.Fatalf("space %+v", space)
		}
	})
}

func TestLockExcludes(t *testing.T) {
	each(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, ".lock")
		lock, err := fsys.Lock(name)
		must(t, err)
		_, err = fsys.Lock(name)
		wantErr(t, err, ErrLocked)
		must(t, lock.Close())
		lock, err = fsys.Lock(name)
		must(t, err)
		must(t, lock.Close())
	})
}

func TestUnlinkedFileStaysReadable(t *testing.T) {
	each(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "a")
		write(t, fsys, name, "x", false)
		f, err := fsys.Open(name)
		must(t, err)
		defer f.Close()
		must(t, fsys.Remove(name))
		buf := make([]byte, 1)
		if _, err := f.ReadAt(buf, 0); err != nil || buf[0] != 'x' {
			t.Fatalf("read %q, %v", buf, err)
		}
	})
}
