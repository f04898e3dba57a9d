package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"barnabas/internal/broker"
	"barnabas/internal/cli"
	"barnabas/internal/config"
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
	return untilTold(func(signals <-chan os.Signal, logger *slog.Logger) error { return run(options, signals, logger) })
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
	return o, parseFile(flags, args, &o.file)
}
