// Package cli is the commands that people and scripts type: Kafka's own tools under Kafka's own
// names and flags (kafka-topics.sh …), and the same jobs in a modern form (barnabas topics …).
// All of them are one program, which looks at the name it was called by.
//
// A tool is one entry of the registry (registry.go) and one file, or a few when it is large. Each
// talks to a broker as any client would, through kgo and kadm; nothing here reaches into a broker.
// A tool runs on the goroutine that calls Main, and ends when its context does.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"barnabas/internal/cli/jopt"
)

// KafkaVersion is the version of Kafka whose tools these match; --version prints it first.
const KafkaVersion = "4.4.0"

// Version is the version of Barnabas; the build sets it.
var Version = "devel"

// Env is the world that a tool sees.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Getenv reads an environment variable.
	Getenv func(string) string
	// FindBrokers asks a keeper ensemble where the brokers are: it turns --zookeeper's addresses
	// and chroot into the bootstrap addresses of a security protocol.
	FindBrokers func(ctx context.Context, keepers []string, chroot, protocol string) ([]string, error)
}

// Main runs the program that argv[0] names with the rest of argv and returns its exit code.
func Main(argv []string) int {
	ctx, stop := untilSignal()
	defer stop()
	env := &Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, FindBrokers: findBrokers,
	}
	return env.Main(ctx, argv)
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string { return i.signal.String() }

// untilSignal returns a context that the first SIGINT or SIGTERM ends; a second one ends the
// process as if nobody listened.
func untilSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interrupted{s.(syscall.Signal)})
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// afterSignal is the exit status of a tool that ended in good order because a signal told it to:
// 128 and the signal's number, as from a process that the signal killed. It is nil without one.
func afterSignal(ctx context.Context) error {
	var by interrupted
	if errors.As(context.Cause(ctx), &by) {
		return exitStatus(128 + int(by.signal))
	}
	return nil
}

// Main runs the program that argv[0] names: a Kafka tool, or barnabas itself, whose first
// argument may also be a Kafka tool's name.
func (env *Env) Main(ctx context.Context, argv []string) int {
	if tool := lookup(programName(argv[0])); tool != nil {
		return env.run(ctx, tool, argv[1:])
	}
	if len(argv) > 1 {
		if tool := lookup(programName(argv[1])); tool != nil {
			return env.run(ctx, tool, argv[2:])
		}
	}
	return env.runModern(ctx, argv[1:])
}

// programName strips the directory and the script suffix: /opt/kafka/bin/kafka-topics.sh is
// kafka-topics.
func programName(path string) string {
	return strings.TrimSuffix(filepath.Base(path), ".sh")
}

func (env *Env) run(ctx context.Context, tool *Tool, args []string) int {
	return env.exitCode(tool.Kafka, tool.Run(ctx, env, args))
}

// exitCode prints what an error has to say and returns the code that Kafka's tools end with.
func (env *Env) exitCode(name string, err error) int {
	var usage *jopt.UsageError
	var status exitStatus
	switch {
	case err == nil, errors.Is(err, jopt.ErrVersion), errors.Is(err, errAnswered):
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage):
		fmt.Fprintln(env.Stderr, usage.Message)
		usage.Parser.WriteHelp(env.Stderr)
		return 1
	}
	fmt.Fprintf(env.Stderr, "%s: %v\n", name, err)
	return 1
}

// exitStatus ends a tool with a code when it has already said what there was to say.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

const exitFailure exitStatus = 1

func (env *Env) printf(format string, args ...any) { fmt.Fprintf(env.Stdout, format, args...) }
func (env *Env) warnf(format string, args ...any)  { fmt.Fprintf(env.Stderr, format, args...) }

// parse parses args for a Kafka tool and answers --help, --version and an empty command line,
// which is answered with the help unless emptyMessage is "".
func (env *Env) parse(p *jopt.Parser, args []string, emptyMessage string) error {
	p.Warn = func(line string) { fmt.Fprintln(env.Stderr, line) }
	err := p.Parse(args)
	switch {
	case errors.Is(err, jopt.ErrHelp):
		return p.Usagef("%s", p.Intro)
	case errors.Is(err, jopt.ErrVersion):
		env.printf("%s (Barnabas %s)\n", KafkaVersion, Version)
	case err == nil && p.Empty() && emptyMessage != "":
		return p.Usagef("%s", emptyMessage)
	}
	return err
}
