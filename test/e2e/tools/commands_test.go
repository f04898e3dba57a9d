package tools

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"barnabas/test/loopback"
)

// patience bounds every wait, on a busy machine.
const patience = time.Minute

// commands are what scripts can say besides testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"broker":    brokerCommand,
	"interrupt": interruptCommand,
	"member":    memberCommand,
	"type":      typeCommand,
}

// brokerCommand starts a broker, waits until it is ready and sets $BROKER and, the address of its
// keeper, $KEEPER:
//
//	broker [setting=value | VARIABLE=value]...
func brokerCommand(ts *testscript.TestScript, _ bool, args []string) {
	addresses := make([]string, 3)
	for i := range addresses {
		address, err := loopback.Address()
		ts.Check(err)
		addresses[i] = address
	}
	ts.Setenv("BROKER", addresses[0])
	ts.Setenv("KEEPER", addresses[2])
	words := []string{"server"}
	settings := []string{
		"listeners=PLAINTEXT://" + addresses[0], "http.listener=" + addresses[1], "keeper.listener=" + addresses[2],
		"log.dirs=" + filepath.Join(ts.Getenv("WORK"), "data"), "group.initial.rebalance.delay.ms=0",
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + ts.Getenv("WORK")}
	for _, arg := range args {
		if name, _, _ := strings.Cut(arg, "="); name == strings.ToUpper(name) {
			env = append(env, arg)
		} else {
			settings = append(settings, arg)
		}
	}
	for _, setting := range settings {
		words = append(words, "--override", setting)
	}
	log, err := os.Create(filepath.Join(ts.Getenv("WORK"), "broker.log"))
	ts.Check(err)
	broker := exec.Command(filepath.Join(bin, "barnabas"), words...)
	broker.Env, broker.Stdout, broker.Stderr = env, log, log
	ts.Check(broker.Start())
	exited := make(chan struct{})
	go func() {
		_ = broker.Wait()
		close(exited)
	}()
	ts.Defer(func() {
		_ = broker.Process.Kill()
		<-exited
		_ = log.Close()
	})
	if err := ready("http://"+addresses[1]+"/readyz", exited); err != nil {
		said, _ := os.ReadFile(log.Name())
		ts.Fatalf("the broker: %v\n%s", err, said)
	}
}

func ready(probe string, exited <-chan struct{}) error {
	client := http.Client{Timeout: 5 * time.Second}
	deadline := time.After(patience)
	for {
		if response, err := client.Get(probe); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-exited:
			return errors.New("ended while starting")
		case <-deadline:
			return errors.New("is not ready in time")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// interruptCommand runs a tool until it has printed so many lines, then presses Ctrl-C. The tool
// has to end as one that SIGINT ended, with status 130. What it printed is in the file:
//
//	interrupt LINES FILE TOOL ARGS...
func interruptCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: interrupt LINES FILE TOOL ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	tool := exec.Command(filepath.Join(bin, args[2]), args[3:]...)
	tool.Stderr = os.Stderr
	out, err := tool.StdoutPipe()
	ts.Check(err)
	ts.Check(tool.Start())
	giveUp := time.AfterFunc(patience, func() { _ = tool.Process.Kill() })
	defer giveUp.Stop()
	var printed strings.Builder
	lines := bufio.NewScanner(out)
	for n := 0; n < want && lines.Scan(); n++ {
		fmt.Fprintln(&printed, lines.Text())
	}
	ts.Check(tool.Process.Signal(syscall.SIGINT))
	for lines.Scan() {
		fmt.Fprintln(&printed, lines.Text())
	}
	_ = tool.Wait() // its code says more
	if code := tool.ProcessState.ExitCode(); code != 130 {
		ts.Fatalf("status %s after Ctrl-C, want 130; printed:\n%s", tool.ProcessState, printed.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(printed.String()), 0o666))
}

// typeCommand runs a tool on a terminal, types a file into it and then Ctrl-D. What the terminal
// showed, without what was typed, is in the other file:
//
//	type FILE SHOWN TOOL ARGS...
func typeCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: type FILE SHOWN TOOL ARGS...")
	}
	tool := exec.Command(filepath.Join(bin, args[2]), args[3:]...)
	shown, err := onTerminal(tool, ts.ReadFile(args[0]))
	if err != nil {
		ts.Fatalf("%s: %v; the terminal showed:\n%s", args[2], err, shown)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(shown), 0o666))
}
