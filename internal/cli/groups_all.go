package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"barnabas/internal/cli/jopt"
)

// allGroupsTimeout bounds the listing, as in Kafka's tool.
const allGroupsTimeout = 30 * time.Second

// groupTypes are the types that --group-type knows, though a broker may have no group of some.
var groupTypes = []string{"Classic", "Consumer", "Share", "Streams"}

// allGroupsOptions are those of kafka-groups.
type allGroupsOptions struct {
	p *jopt.Parser
	connectOptions
	list, consumer, share, streams *jopt.Flag
	kind, protocol                 *jopt.Text
}

func newAllGroupsOptions() *allGroupsOptions {
	p := jopt.New("This tool lists groups of all types: of consumers, of Connect's workers, and of others.")
	return &allGroupsOptions{
		p: p, connectOptions: newConnectOptions(p),
		list:     p.Flag("list", "List the groups."),
		kind:     p.Text("group-type", "type", "Only groups of this type: classic, consumer, share or streams."),
		protocol: p.Text("protocol", "protocol", "Only groups whose members speak this protocol, for example connect."),
		consumer: p.Flag("consumer", "Only groups of consumers: those of type consumer, and classic ones whose protocol is "+
			"consumer, or that only hold offsets."),
		share:   p.Flag("share", "Only share groups."),
		streams: p.Flag("streams", "Only streams groups."),
	}
}

// runAllGroups is kafka-groups (KIP-1043).
func runAllGroups(ctx context.Context, env *Env, args []string) error {
	o := newAllGroupsOptions()
	if err := env.parse(o.p, args, ""); err != nil {
		return err
	}
	var usage *jopt.UsageError
	switch err := o.check(); {
	case errors.As(err, &usage):
		return err
	case err != nil:
		env.warnf("%v\n", err)
		return exitFailure
	}
	ctx, cancel := context.WithTimeout(ctx, allGroupsTimeout)
	defer cancel()
	err := o.run(ctx, env, func(ctx context.Context, c *client) error {
		groups, err := c.everyGroup(ctx, nil, nil)
		if err != nil {
			return err
		}
		printAllGroups(env, slices.DeleteFunc(groups, func(g listedGroup) bool { return !o.shows(g) }))
		return nil
	})
	if err != nil {
		env.printf("Error while executing groups command : %s\n", errorText(err))
		return exitFailure
	}
	return nil
}

// check says what doesn't go together. A value that is no good is said alone, what is missing with the options.
func (o *allGroupsOptions) check() error {
	if !o.bootstrap.Set() && !o.zookeeper.Set() {
		return o.p.Usagef("Missing required option(s) [%s]", o.bootstrap.Name())
	}
	if err := o.p.ExactlyOne("Command must include exactly one action: --list.", o.list); err != nil {
		return err
	}
	if err := jopt.Check(o.bootstrap, o.zookeeper, o.config, o.kind, o.protocol); err != nil {
		return err
	}
	isKind := func(known string) bool { return strings.EqualFold(known, o.kind.Must()) }
	if o.kind.Set() && !slices.ContainsFunc(groupTypes, isKind) {
		return sayf("--group-type must be a valid group type.")
	}
	for _, rule := range [][]jopt.Option{
		{o.consumer, o.kind, o.protocol, o.share, o.streams},
		{o.share, o.consumer, o.kind, o.protocol, o.streams},
		{o.streams, o.consumer, o.kind, o.protocol, o.share},
	} {
		if err := o.p.Exclusive(rule[0], rule[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (o *allGroupsOptions) shows(g listedGroup) bool {
	is := func(kind string) bool { return strings.EqualFold(g.kind, kind) }
	switch {
	case o.consumer.Set():
		return g.protocol == "consumer" || g.protocol == "" || is("consumer")
	case o.share.Set():
		return is("share")
	case o.streams.Set():
		return is("streams")
	}
	return (!o.kind.Set() || is(o.kind.Must())) && (!o.protocol.Set() || g.protocol == o.protocol.Must())
}

func printAllGroups(env *Env, groups []listedGroup) {
	width := 20 // of each column
	for _, g := range groups {
		width = max(width, len(g.id), len(g.kind), len(g.protocol))
	}
	env.printf("%-*s %-*s %-*s\n", width, "GROUP", width, "TYPE", width, "PROTOCOL")
	for _, g := range groups {
		env.printf("%-*s %-*s %-*s \n", width, g.id, width, g.kind, width, g.protocol)
	}
}
