// Package server has a real Kubernetes API server judge what deploy/ has, and answer what brokers and keepers ask it in a pod. The
// server is kube-apiserver, built from Kubernetes' Go module (../apiserver); our own keeper is the etcd below it. There is no kubelet and no
// controller: nothing that is applied runs, except the processes that a test starts itself with a pod's environment.
//
// The first build takes a quarter of an hour of two cores, so this is no part of CI: `make apiserver`. APISERVER names one that is built.
package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is barnabas, and at the API server of all tests.
var (
	program string
	at      *apiServer
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "barnabas-apiserver-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary, err := build(dir)
	if err == nil {
		at, err = start(binary, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer at.stop()
	return m.Run()
}

// build makes our program, and kube-apiserver where none is given.
func build(dir string) (string, error) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, "barnabas")
	if err := compile(root, program, "./cmd/barnabas"); err != nil {
		return "", err
	}
	if given := os.Getenv("APISERVER"); given != "" {
		return given, nil
	}
	binary := filepath.Join(dir, "kube-apiserver")
	return binary, compile(filepath.Join(root, "test/kubernetes/apiserver"), binary, "k8s.io/kubernetes/cmd/kube-apiserver")
}

func compile(module, to, what string) error {
	c := exec.Command("nice", "-n", "10", "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, what)
	c.Dir, c.Env = module, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s in %s: %w\n%s", c, module, err, out)
	}
	return nil
}
