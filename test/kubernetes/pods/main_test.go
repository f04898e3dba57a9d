// Package pods runs what a cluster would run, without one: the recipe's files, the chart and the manifests, on hosts and
// pods that are network namespaces, with what kubelets, kube-proxies and the controllers do (package cluster). Clients
// live inside and outside and write and read all the time; whatever happens to pods, nothing acknowledged may be lost.
//
// The test's process starts itself once more in namespaces of its own, network, mounts and processes. When that second one
// ends, in whatever way, the kernel ends all that was made in it, and when the first one is killed so is the second.
//
// It wants root on Linux with nftables; elsewhere it says so and passes, or fails where CI=true. LONG=1 has the long
// trials too, SHOW=DIR keeps what the pods printed, DISK=DIR has pods write to a real disk, IMAGE=ARCHIVE takes an image that
// is built already.
package pods

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"barnabas/test/kubernetes/pods/limits"
)

// inside tells the second process what the first has built, a directory.
const inside = "BARNABAS_PODS_INSIDE"

func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		os.Exit(outside())
	}
	if err := settle(); err != nil {
		fmt.Fprintln(os.Stderr, "in namespaces of its own:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// outside builds what is needed and starts the tests in namespaces.
func outside() int {
	for _, tool := range []string{"ip", "nft", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return cannot(err)
		}
	}
	sweep()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("barnabas-pods-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer unlimit(dir)
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	runtime.LockOSThread() // what a parent's death does to a child is a matter of the parent's thread
	program, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	self := exec.Command(filepath.Join(dir, "container"), append([]string{"init", program}, os.Args[1:]...)...)
	self.Env = append(os.Environ(), inside+"="+dir)
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := self.Start(); err != nil {
		return cannot(err)
	}
	if err := self.Wait(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() > 0 {
			return exit.ExitCode()
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// sweep removes the directories of runs that were killed: the kernel has ended all the rest of them.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), "barnabas-pods-*")) // the pattern is a good one
	for _, dir := range dirs {
		pid := strings.TrimPrefix(filepath.Base(dir), "barnabas-pods-")
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) {
			unlimit(dir)
			_ = os.RemoveAll(dir)
		}
	}
}

// unlimit takes away the cgroups of a run, which nobody is in any more.
func unlimit(dir string) {
	if tree, err := limits.Open(filepath.Base(dir)); err == nil {
		_ = tree.Remove() // an empty directory may stay
	}
}

func cannot(err error) int {
	fmt.Fprintf(os.Stderr, "skip: namespaces of a cluster can't be made here: %v\n", err)
	if os.Getenv("CI") == "true" {
		return 1
	}
	return 0
}

// build makes the image, the runtime and the load.
func build(dir string) error {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	steps := [][]string{
		{".", "build", "-o", filepath.Join(dir, "container"), "./container"},
		{root, "build", "-o", filepath.Join(dir, "load"), "./test/trials/load"},
	}
	archive := filepath.Join(dir, "image.tar")
	if given := os.Getenv("IMAGE"); given != "" {
		if err := os.Symlink(given, archive); err != nil {
			return err
		}
	} else {
		cache := filepath.Join(cmp.Or(os.Getenv("CACHE"), filepath.Join(root, ".cache")), "image")
		steps = append(steps, []string{root, "run", "./deploy/image", "-platforms", runtime.GOARCH, "-cache", cache,
			"-out", archive, "-sbom", filepath.Join(dir, "sbom.json")})
	}
	for _, s := range steps {
		c := exec.Command("go", s[1:]...)
		c.Dir, c.Env = s[0], append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", c, err, out)
		}
	}
	return nil
}

// settle makes the new namespaces ones that nothing gets out of: no mount is seen elsewhere, /proc tells of no other
// process, and what is written is in memory.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	work := filepath.Join(os.Getenv(inside), "work")
	for _, dir := range []string{"/run", work} {
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			err = unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return os.Setenv("TMPDIR", work)
}
