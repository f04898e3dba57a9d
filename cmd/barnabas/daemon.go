package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

// daemon starts the same broker in the background, in a session of its own, with its output in
// $LOG_DIR/kafkaServer.out as Kafka's script has it ("logs" unless given).
func daemon(args []string) int {
	dir := os.Getenv("LOG_DIR")
	if dir == "" {
		dir = "logs"
	}
	if err := detach(args, filepath.Join(dir, "kafkaServer.out")); err != nil {
		fmt.Fprintf(os.Stderr, "barnabas: can't run in the background: %v\n", err)
		return exitFailed
	}
	return exitStopped
}

func detach(args []string, output string) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-daemon" || a == "--daemon" })
	command := exec.Command(self, append([]string{"server"}, rest...)...)
	command.Stdout, command.Stderr = out, out
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command.Start()
}
