// Package launch is what tests of real processes share: the program under test, what a process has printed, and the word
// that a machine does not allow what a test needs.
package launch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Build compiles the program into a directory and returns its path.
func Build(dir string) (string, error) {
	program := filepath.Join(dir, "barnabas")
	build := exec.Command("go", "build", "-o", program, "barnabas/cmd/barnabas")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return program, nil
}

// Given is the program that $BARNABAS names, or one that is built.
func Given(dir string) (string, error) {
	if program := os.Getenv("BARNABAS"); program != "" {
		return program, nil
	}
	return Build(dir)
}

// Main runs a package's tests with a directory for them all, once prepare has had it, and then end, unless that is nil. Go's
// cache keeps their result as long as the program stays the same. It returns the exit code for TestMain.
func Main(m *testing.M, prepare func(dir string) (end func(), err error)) int {
	dir, err := os.MkdirTemp("", "barnabas-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	end, err := prepare(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if end != nil {
		defer end()
	}
	code := m.Run()
	if err := tellCache(); err != nil {
		fmt.Fprintln(os.Stderr, "what the program is made of could not be told to Go's test cache:", err)
		return 1
	}
	return code
}

// Cannot says that this machine does not allow what a test needs: it is skipped, and in CI that is a failure.
func Cannot(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// tailBytes is how much of an output is shown where something went wrong.
const tailBytes = 9000

// Output is what a process prints, while it prints. The zero value is ready.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is all of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Tail is the last of it.
func (o *Output) Tail() string {
	all := o.String()
	return all[max(0, len(all)-tailBytes):]
}

// Says tells whether the process has printed that.
func (o *Output) Says(what string) bool { return strings.Contains(o.String(), what) }
