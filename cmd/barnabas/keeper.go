package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"barnabas/internal/cli"
	"barnabas/internal/config"
	"barnabas/internal/footprint"
	"barnabas/internal/keeper"
	"barnabas/internal/kubernetes"
)

// serveKeeper runs a keeper until it is told to stop.
func serveKeeper(args []string) int {
	sources, err := parseKeeper(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitStopped
	case err != nil:
		return exitFailed
	}
	sources.Env = os.Environ()
	return untilTold(func(signals <-chan os.Signal, logger *slog.Logger) error { return runKeeper(sources, signals, logger) })
}

// keeperGrace bounds how long a keeper that is told to stop waits for its successor: less than what Kubernetes
// waits by default before it kills.
const keeperGrace = 28 * time.Second

// lastWords bounds how long the end waits for Events to be written.
const lastWords = 2 * time.Second

func runKeeper(sources config.Sources, signals <-chan os.Signal, logger *slog.Logger) error {
	settings, notices, err := config.LoadKeeper(sources)
	if err != nil {
		return err
	}
	config.LogNotices(context.Background(), logger, notices)
	keeper.LimitMemory()
	options := keeper.MemberOptionsOf(settings, logger)
	if settings.Events {
		voice := kubernetes.NewVoice(os.Getenv, kubernetes.AccountDir, logger)
		defer voice.Stop(lastWords)
		options.Tell = func(t keeper.Tiding) { voice.Say(kubernetes.KindOf(t.Grave), t.Reason, t.Message) }
	}
	member, err := keeper.StartMember(options)
	if err != nil {
		return err
	}
	health, err := keeper.StartHealth(settings.HTTP, settings.HTTPByDefault, member, cli.Version)
	if err != nil {
		member.Stop(stoppedAlready())
		return err
	}
	defer health.Stop()
	quiet := time.NewTimer(quietAfter)
	defer quiet.Stop()
	for {
		select {
		case <-quiet.C:
			if err := footprint.GiveBack(); err != nil {
				logger.Debug("the start's memory stays", "why", err)
			}
		case s := <-signals:
			logger.Info("told to stop", "signal", s.String())
			return stop(stoppingMember{member}, signals, logger)
		case <-member.Done():
			return member.Err()
		}
	}
}

// quietAfter is when a keeper that starts has become a member, as a rule, and gives back the memory that it needed for that.
const quietAfter = 4 * time.Second

// stoppingMember is a member as stop has it.
type stoppingMember struct{ *keeper.Member }

// Stop implements stopping.
func (s stoppingMember) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keeperGrace)
	defer cancel()
	s.Member.Stop(ctx)
	return nil
}

func stoppedAlready() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// parseKeeper reads the arguments: a zoo.cfg, or what is in it as flags.
func parseKeeper(args []string, out io.Writer) (config.Sources, error) {
	var sources config.Sources
	var id int
	var servers, dir string
	flags := flag.NewFlagSet("barnabas keeper", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&sources.File, "config", "", "the `file` with settings, as zoo.cfg")
	flags.Func("override", "a setting that wins over the file and the environment, as `key=value`", func(s string) error {
		sources.Overrides = append(sources.Overrides, s)
		return nil
	})
	flags.IntVar(&id, "id", 0, "which of the servers this is, as ZOO_MY_ID")
	flags.StringVar(&servers, "servers", "", "all `servers`, as ZOO_SERVERS: server.1=zoo1:2888:3888;2181,server.2=…")
	flags.StringVar(&dir, "data-dir", "", "the keeper's `directory`, as ZOO_DATA_DIR")
	flags.Usage = func() {
		fmt.Fprintln(out, "Usage: barnabas keeper [zoo.cfg] [--id N --servers LIST --data-dir DIR] [--override key=value]*")
		flags.PrintDefaults()
	}
	if err := parseFile(flags, args, &sources.File); err != nil {
		return sources, err
	}
	if id != 0 {
		sources.Overrides = append(sources.Overrides, "myid="+strconv.Itoa(id))
	}
	if dir != "" {
		sources.Overrides = append(sources.Overrides, "dataDir="+dir)
	}
	between := func(r rune) bool { return strings.ContainsRune(", \t\n", r) }
	sources.Overrides = append(sources.Overrides, strings.FieldsFunc(servers, between)...)
	return sources, nil
}
