package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"barnabas/internal/broker"
	"barnabas/internal/cli"
	"barnabas/internal/config"
)

// serverArguments are the arguments of the broker, if that is what the program was called as: by
// the name of Kafka's script, or by `barnabas server`.
func serverArguments(argv []string) ([]string, bool) {
	for i, word := range argv[:min(2, len(argv))] {
		name := strings.TrimSuffix(filepath.Base(word), ".sh")
		if name == "kafka-server-start" || i == 1 && name == "server" {
			return argv[i+1:], true
		}
	}
	return nil, false
}

// Exit codes of the broker.
const (
	exitStopped = 0 // it was told to stop, and did
	exitFailed  = 1 // it could not start or go on, or was told again to stop
)

// serve runs the broker until it is told to stop.
func serve(args []string) int {
	options, err := parseServer(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitStopped
	case err != nil:
		return exitFailed
	case options.version:
		fmt.Printf("%s (Barnabas %s)\n", cli.KafkaVersion, cli.Version)
		return exitStopped
	case options.daemon:
		return daemon(args)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	logger := newLogger(os.Stderr)
	if err := run(options, signals, logger); err != nil {
		fmt.Fprintf(os.Stderr, "barnabas: %v\n", err)
		return exitFailed
	}
	return exitStopped
}

// run starts the broker, waits for a signal or for its end, and stops it.
func run(options serverOptions, signals <-chan os.Signal, logger *slog.Logger) error {
	began := time.Now()
	settings, notices, err := config.Load(config.Sources{
		File: options.file, Env: os.Environ(), Overrides: options.overrides,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started := make(chan result, 1)
	go func() {
		b, err := broker.Start(ctx, broker.Options{
			Config: settings, Notices: notices, Logger: logger, Version: cli.Version, Began: began,
		})
		started <- result{b, err}
	}()
	select {
	case r := <-started:
		if r.err != nil {
			return r.err
		}
		return attend(r.broker, signals, logger)
	case s := <-signals:
		logger.Info("told to stop while starting", "signal", s.String())
		cancel()
		r := <-started
		if r.err == nil {
			return stop(r.broker, signals, logger)
		}
		return nil
	}
}

type result struct {
	broker *broker.Broker
	err    error
}

// attend waits for what ends the broker.
func attend(b *broker.Broker, signals <-chan os.Signal, logger *slog.Logger) error {
	select {
	case s := <-signals:
		logger.Info("told to stop", "signal", s.String())
		return stop(b, signals, logger)
	case err := <-b.Failed():
		logger.Error("can't go on", "error", err)
		return errors.Join(err, stop(b, signals, logger))
	}
}

var errForced = errors.New("told again to stop: what was still open is left to recovery at the next start")

// oneWish is how soon after the first a signal says nothing new: `timeout` and `tini -g` send each of them twice.
const oneWish = time.Second

// stopping is what can be told to stop.
type stopping interface {
	Stop(ctx context.Context) error
}

// stop stops the broker; another signal, later than oneWish, cuts that short.
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

type serverOptions struct {
	file      string
	overrides []string
	daemon    bool
	version   bool
}

// parseServer reads the arguments as kafka-server-start.sh takes them: [-daemon] server.properties
// [--override key=value]*. The file may also come by --config, or not at all.
func parseServer(args []string, out io.Writer) (serverOptions, error) {
	var o serverOptions
	flags := flag.NewFlagSet("barnabas server", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.file, "config", "", "the `file` with settings, as server.properties")
	flags.Func("override", "a setting that wins over the file and the environment, as `key=value`", func(s string) error {
		o.overrides = append(o.overrides, s)
		return nil
	})
	flags.BoolVar(&o.daemon, "daemon", false, "run in the background")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	flags.Usage = func() {
		fmt.Fprintln(out, "Usage: barnabas server [--daemon] [server.properties] [--override key=value]*")
		flags.PrintDefaults()
	}
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return o, err
		}
		args = flags.Args()
		if len(args) == 0 {
			break
		}
		if o.file != "" {
			fmt.Fprintf(out, "barnabas server: there is a file of settings already, %s; what is %q?\n", o.file, args[0])
			return o, errors.New("two files")
		}
		o.file, args = args[0], args[1:]
	}
	return o, nil
}
