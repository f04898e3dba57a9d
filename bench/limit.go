package main

import (
	"os"
	"os/exec"
	"strconv"
)

// limit is the limit server as a process of its own.
type limit struct{}

func (limit) name() string { return nameLimit }

func (limit) warmUp() int { return warmCache }

func (limit) prepare(string, int) error { return nil }

func (limit) command(dir string, port int, settings []string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		fatal(err)
	}
	return exec.Command(self, limitCommand, "-dir", dir, "-listen", "127.0.0.1:"+strconv.Itoa(port), "-keys", keystoreOf(settings))
}
