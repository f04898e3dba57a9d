// Package clocks has brokers and keepers live while the wall clocks of some of them are set an hour forward and back,
// under a load of numbered records. What was acknowledged must be there afterwards, nobody may lose its place by it, and
// the load must go on.
//
// The processes are built with a clock that can be set (folder wall). SHOW=1 shows what they printed last.
package clocks

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"barnabas/test/launch"
	"barnabas/test/robustness/clocks/wall"
)

// program is barnabas with a clock that can be set.
var program string

func TestMain(m *testing.M) {
	os.Exit(launch.Main(m, func(dir string) (_ func(), err error) {
		if wall.Supported {
			program, err = build(dir)
		}
		return nil, err
	}))
}

// build compiles the program with one file more, which the overlay puts beside its main function.
func build(dir string) (string, error) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "barnabas/cmd/barnabas").Output()
	if err != nil {
		return "", fmt.Errorf("find the program's folder: %w", err)
	}
	source := filepath.Join(dir, "clock.go")
	if err := os.WriteFile(source, []byte("package main\n\nimport _ \"barnabas/test/robustness/clocks/wall\"\n"), 0o644); err != nil {
		return "", err
	}
	beside := filepath.Join(string(out[:len(out)-1]), "clock_that_can_be_set.go")
	raw, err := json.Marshal(map[string]map[string]string{"Replace": {beside: source}})
	if err != nil {
		return "", err
	}
	overlay, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "barnabas")
	if err := os.WriteFile(overlay, raw, 0o644); err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", program, "barnabas/cmd/barnabas")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return program, nil
}
