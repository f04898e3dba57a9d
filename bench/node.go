package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// node is a server that runs.
type node struct {
	system   system
	settings []string
	dir      string
	port     int
	cmd      *exec.Cmd
	log      *os.File
}

// launch starts the system in a new directory and returns without waiting for it.
func launch(s system, settings ...string) (*node, error) {
	dir, err := os.MkdirTemp("", "barnabas-bench")
	if err != nil {
		return nil, err
	}
	n := &node{system: s, settings: settings, dir: dir, port: freePort()}
	if err := s.prepare(dir, n.port); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if n.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	return n, n.exec()
}

// exec starts the process, pinned to the broker's core.
func (n *node) exec() error {
	cmd := n.system.command(n.dir, n.port, n.settings)
	n.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(brokerCore)}, cmd.Args...)...)
	n.cmd.Env = cmd.Env
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return n.cmd.Start()
}

func (n *node) address() string {
	address := "127.0.0.1:" + strconv.Itoa(n.port)
	if n.secured() {
		return tlsScheme + address
	}
	return address
}

// secured says whether TLS is spoken with it.
func (n *node) secured() bool { return keystoreOf(n.settings) != "" }

func (n *node) pid() int { return n.cmd.Process.Pid }

// kill ends the process at once, as kill -9 does.
func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
}

// stop asks the process to end and waits for that.
func (n *node) stop() (took time.Duration, err error) {
	begun := time.Now()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	timer := time.AfterFunc(startDeadline, func() { _ = n.cmd.Process.Kill() })
	defer timer.Stop()
	err = n.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 143 { // a JVM that has ended on SIGTERM
		err = nil
	}
	return time.Since(begun), err
}

// close ends the process and removes what it wrote.
func (n *node) close() {
	n.kill()
	_ = n.log.Close()
	_ = os.RemoveAll(n.dir)
}

// leftDirs are removed when the bench ends.
var leftDirs []string

// closeAndLeave ends the process, and what it wrote is removed when the bench ends. ext4 passes over inodes that were
// deleted minutes ago, one after another: after 50,000 of them whoever makes as many in the next round, be it
// Kafka, spends ten seconds of processor time there, where it takes one on a directory tree that was left alone.
func (n *node) closeAndLeave() {
	n.kill()
	_ = n.log.Close()
	leftDirs = append(leftDirs, n.dir)
}

func removeLeftDirs() {
	for _, dir := range leftDirs {
		_ = os.RemoveAll(dir)
	}
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
