package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// calledAs are the arguments, if the program was called by the name of Kafka's script or by this one's command for it.
func calledAs(argv []string, script, command string) ([]string, bool) {
	for i, word := range argv[:min(2, len(argv))] {
		name := strings.TrimSuffix(filepath.Base(word), ".sh")
		if name == script || i == 1 && name == command {
			return argv[i+1:], true
		}
	}
	return nil, false
}

// parseFile reads the arguments that every process takes: one file of settings, wherever it stands between the flags, or
// none.
func parseFile(flags *flag.FlagSet, args []string, file *string) error {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return err
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		if *file != "" {
			fmt.Fprintf(flags.Output(), "%s: there is a file of settings already, %s; what is %q?\n", flags.Name(), *file, args[0])
			return errors.New("two files")
		}
		*file, args = args[0], args[1:]
	}
	return nil
}

// Exit codes of a broker and of a keeper.
const (
	exitStopped = 0 // it was told to stop, and did
	exitFailed  = 1 // it could not start or go on, or was told again to stop
)

// untilTold runs a broker or a keeper until it is told to stop, and returns the exit code.
func untilTold(run func(signals <-chan os.Signal, logger *slog.Logger) error) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err := run(signals, newLogger(os.Stderr)); err != nil {
		fmt.Fprintf(os.Stderr, "barnabas: %v\n", err)
		return exitFailed
	}
	return exitStopped
}

var errForced = errors.New("told again to stop: what was still open is left to recovery at the next start")

// oneWish is how soon after the first a signal says nothing new: `timeout` and `tini -g` send each of them twice.
const oneWish = time.Second

// stopping is what can be told to stop.
type stopping interface {
	Stop(ctx context.Context) error
}

// stop stops a broker or a keeper; another signal, later than oneWish, cuts that short.
func stop(b stopping, signals <-chan os.Signal, logger *slog.Logger) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- b.Stop(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		case s := <-signals:
			if time.Since(began) >= oneWish {
				return errForced
			}
			logger.Debug("told to stop, and stopping already", "signal", s.String())
		}
	}
}
