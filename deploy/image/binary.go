package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildBinary compiles the program for an architecture, without paths of this machine in it.
func buildBinary(ctx context.Context, o options, arch string) (string, error) {
	out, err := filepath.Abs(filepath.Join(o.cache, arch, "barnabas"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X barnabas/internal/cli.Version="+o.version, "-o", out, "./cmd/barnabas")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go build for %s: %w", arch, err)
	}
	return out, nil
}

// toolNames are the names that the program answers to, which it knows itself.
func toolNames(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./cmd/barnabas", "install-links", "--list")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the names of the tools: %w", err)
	}
	return strings.Fields(string(out)), nil
}

// output is what a command prints, "" if it fails.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
