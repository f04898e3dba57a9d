package cli

import (
	"errors"
	"slices"
	"strings"

	"barnabas/internal/cli/argp"
)

// errAnswered ends a tool whose command line was answered in full: it succeeds.
var errAnswered = errors.New("answered")

// parseArguments parses args for a tool that Kafka builds on argparse4j, and answers --help,
// --version, mistakes and, if an empty command line gets the help, that too.
func (env *Env) parseArguments(p *argp.Parser, args []string, helpIfEmpty bool) error {
	if slices.Equal(args, []string{"--version"}) {
		env.printf("%s (Barnabas %s)\n", KafkaVersion, Version)
		return errAnswered
	}
	err := argp.ErrHelp
	if len(args) > 0 || !helpIfEmpty {
		err = p.Parse(args)
	}
	if errors.Is(err, argp.ErrHelp) {
		p.WriteHelp(env.Stdout)
		return errAnswered
	}
	return env.misused(err)
}

// misused prints the usage for a mistake in the command line.
func (env *Env) misused(err error) error {
	var usage *argp.UsageError
	if !errors.As(err, &usage) {
		return err
	}
	usage.Parser.WriteUsage(env.Stderr)
	tool, _, _ := strings.Cut(usage.Parser.Name, " ")
	env.warnf("%s: error: %s\n", tool, usage.Message)
	return exitFailure
}
