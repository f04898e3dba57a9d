// Command container is what runc is to a kubelet, as far as this harness needs it: started as the first process of new
// namespaces, it makes the file system that it is told of on descriptor 3, gives up its rights and becomes the program, which closes descriptor 4. Called
// with init and a command it is the first process of the harness's own namespace.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// spec is what package kubelet writes; see there.
type spec struct {
	Lower, Upper, Work, Root string
	ReadOnly                 bool
	Mounts                   []mount
	Hostname                 string
	UID, GID                 int
	Groups                   []int
	NoNewPrivileges          bool
	Args, Env                []string
	Cwd                      string
}

type mount struct {
	Source, Target string
	ReadOnly       bool
	// Memory, unless 0, asks for a tmpfs of so many bytes instead of a source.
	Memory int64
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "init" {
		code, err := initialize(os.Args[2:])
		if err != nil {
			fmt.Fprintln(os.Stderr, "init:", err)
			os.Exit(1)
		}
		os.Exit(code)
	}
	err := become()
	fmt.Fprintln(os.Stderr, "container:", err)
	os.Exit(128)
}

func become() error {
	unix.CloseOnExec(4) // whose other end sees so that the program runs
	var s spec
	if err := json.NewDecoder(os.NewFile(3, "spec")).Decode(&s); err != nil {
		return fmt.Errorf("what to run: %w", err)
	}
	if err := s.files(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		return fmt.Errorf("set the host's name: %w", err)
	}
	if err := s.drop(); err != nil {
		return err
	}
	if err := os.Chdir(s.Cwd); err != nil {
		return err
	}
	os.Clearenv()
	for _, variable := range s.Env {
		if len(variable) > 5 && variable[:5] == "PATH=" {
			os.Setenv("PATH", variable[5:])
		}
	}
	program, err := exec.LookPath(s.Args[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", program, syscall.Exec(program, s.Args, s.Env))
}

// files makes the container's file system and goes into it.
func (s *spec) files() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", s.Lower, s.Upper, s.Work)
	if err := unix.Mount("overlay", s.Root, "overlay", 0, layers); err != nil {
		return fmt.Errorf("overlay %s: %w", layers, err)
	}
	if err := s.system(); err != nil {
		return err
	}
	for _, m := range s.Mounts {
		if err := m.mount(s.Root); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	if s.ReadOnly {
		if err := unix.Mount("", s.Root, "", unix.MS_REMOUNT|unix.MS_RDONLY, layers); err != nil {
			return fmt.Errorf("make the root read-only: %w", err)
		}
	}
	if err := os.Chdir(s.Root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	return unix.Unmount(".", unix.MNT_DETACH)
}

// system mounts /proc and a few devices.
func (s *spec) system() error {
	proc, dev := filepath.Join(s.Root, "proc"), filepath.Join(s.Root, "dev")
	for _, dir := range []string{proc, dev} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", proc, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := (mount{Source: "/dev/" + name, Target: "/dev/" + name}).mount(s.Root); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(dev, link)); err != nil {
			return err
		}
	}
	return nil
}

func (m mount) mount(root string) error {
	target := filepath.Join(root, m.Target)
	if m.Memory > 0 {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		return unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,mode=1777", m.Memory))
	}
	if err := place(m.Source, target); err != nil {
		return err
	}
	if err := unix.Mount(m.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if !m.ReadOnly {
		return nil
	}
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// place makes what something is mounted on: a directory for a directory, a file for a file.
func place(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// drop becomes the container's user.
func (s *spec) drop() error {
	if err := syscall.Setgroups(s.Groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setgid(s.GID); err != nil {
		return fmt.Errorf("set group %d: %w", s.GID, err)
	}
	if err := syscall.Setuid(s.UID); err != nil {
		return fmt.Errorf("set user %d: %w", s.UID, err)
	}
	if s.NoNewPrivileges {
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	return nil
}
