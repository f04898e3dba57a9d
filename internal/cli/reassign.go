package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"barnabas/internal/cli/jopt"
)

const (
	existingReassignment = "Cannot execute because there is an existing partition assignment.  Use --additional " +
		"to override this and create a new partition assignment in addition to the existing one. The --additional " +
		"flag can also be used to change the throttle by resubmitting the current reassignment."
	verifyPeriodically = "Warning: You must run --verify periodically, until the reassignment completes, to ensure " +
		"the throttle is removed."
)

// terse is an error of which kafka-reassign-partitions prints the words alone.
type terse struct{ words string }

func (e terse) Error() string { return e.words }

type reassignOptions struct {
	p *jopt.Parser
	connectOptions
	verify, generate, execute, cancel, list *jopt.Flag
	plan, topics                            *jopt.Text
	brokers                                 *jopt.Text
	rackless, additional, preserve, sameRF  *jopt.Flag
	throttle, dirThrottle, timeout          *jopt.Long
}

// runReassign is kafka-reassign-partitions.
func runReassign(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool helps to move topic partitions between replicas.")
	o := reassignOptions{
		p: p, connectOptions: newConnectOptions(p),
		verify: p.Flag("verify", "Tell how far the reassignment in the file of --reassignment-json-file is, and "+
			"once nothing moves any more remove the throttles, unless --preserve-throttles is given."),
		generate: p.Flag("generate", "Propose a reassignment of the topics in --topics-to-move-json-file to the "+
			"brokers of --broker-list. Nothing is moved."),
		execute: p.Flag("execute", "Begin the reassignment in the file of --reassignment-json-file."),
		cancel: p.Flag("cancel", "End what is under way of the reassignments and moves between log directories in "+
			"the file, and go back."),
		list: p.Flag("list", "List all reassignments that are under way."),
		plan: p.Text("reassignment-json-file", "file", "The reassignment:\n"+
			`{"partitions": [{"topic": "foo", "partition": 1, "replicas": [1,2,3], "log_dirs": ["any","any","any"]}], "version": 1}`),
		topics: p.Text("topics-to-move-json-file", "file", "With --generate, the topics:\n"+
			`{"topics": [{"topic": "foo"},{"topic": "foo1"}], "version": 1}`),
		brokers:  p.Text("broker-list", "ids", "With --generate, the brokers to move to, with commas: 0,1,2."),
		rackless: p.Flag("disable-rack-aware", "With --generate: take no account of racks."),
		throttle: p.Long("throttle", "bytes/s", "With --execute: the rate of copying between brokers for what is moved. "+
			"Run again with --additional to change it.").Default(-1),
		dirThrottle: p.Long("replica-alter-log-dirs-throttle", "bytes/s", "With --execute: the rate of copying "+
			"between the log directories of one broker.").Default(-1),
		timeout: p.Long("timeout", "ms", "With --execute and --cancel: how long moves between log directories "+
			"may take to begin, or to be called off.").Default(10000),
		additional: p.Flag("additional", "With --execute: beside the reassignments that are under way."),
		preserve:   p.Flag("preserve-throttles", "Leave the throttles as they are."),
		sameRF: p.Flag("disallow-replication-factor-change", "With --execute: refuse what would change the number "+
			"of replicas of a partition."),
	}
	o.bootstrap.Or("bootstrap-controller")
	if err := env.parse(p, args, p.Intro); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	err := o.run(ctx, env)
	switch err := err.(type) {
	case nil:
		return nil
	case terse:
		env.printf("%s\n", err.words)
	default:
		env.printf("Error: %s\n", errorText(err))
	}
	return exitFailure
}

// check says which words don't go together.
func (o *reassignOptions) check() error {
	actions := []jopt.Option{o.generate, o.execute, o.verify, o.cancel, o.list}
	err := o.p.ExactlyOne("Command must include exactly one action: --generate, --execute, --verify, --cancel, --list", actions...)
	if err != nil {
		return err
	}
	if !o.bootstrap.Set() && !o.zookeeper.Set() {
		return o.p.Usagef("Please specify either --bootstrap-server or --bootstrap-controller")
	}
	if err := jopt.Check(o.bootstrap, o.zookeeper, o.config, o.plan, o.topics, o.brokers, o.throttle, o.dirThrottle, o.timeout); err != nil {
		return o.p.Usagef("%v", err)
	}
	rules := []struct {
		action              jopt.Option
		required, permitted []jopt.Option
	}{
		{o.verify, []jopt.Option{o.plan}, []jopt.Option{o.preserve}},
		{o.generate, []jopt.Option{o.topics, o.brokers}, []jopt.Option{o.rackless}},
		{o.execute, []jopt.Option{o.plan}, []jopt.Option{o.additional, o.throttle, o.dirThrottle, o.timeout, o.sameRF}},
		{o.cancel, []jopt.Option{o.plan}, []jopt.Option{o.preserve, o.timeout}},
		{o.list, nil, nil},
	}
	all := []jopt.Option{o.plan, o.topics, o.brokers, o.rackless, o.throttle, o.dirThrottle, o.timeout, o.additional, o.preserve, o.sameRF}
	for _, rule := range rules {
		if !rule.action.Set() {
			continue
		}
		if err := o.p.Required(rule.required...); err != nil {
			return err
		}
		for _, other := range all {
			if other.Set() && !slices.Contains(append(rule.required, rule.permitted...), other) {
				return o.p.Usagef("Option %q can't be used with action %q", "["+other.Name()+"]", "["+rule.action.Name()+"]")
			}
		}
	}
	return nil
}

func (o *reassignOptions) run(ctx context.Context, env *Env) error {
	var plan *movePlan
	var topics []string
	var err error
	switch {
	case o.plan.Set():
		plan, err = readMovePlan(o.plan.Must())
	case o.topics.Set():
		topics, err = readTopicsToMove(o.topics.Must())
	}
	if err != nil {
		return err
	}
	return o.connectOptions.run(ctx, env, func(ctx context.Context, c *client) error {
		switch {
		case o.verify.Set():
			return c.verifyMoves(ctx, env, plan, o.preserve.Set())
		case o.generate.Set():
			return c.generateMoves(ctx, env, topics, o.brokers.Must(), !o.rackless.Set())
		case o.execute.Set():
			return c.executeMoves(ctx, env, plan, o)
		case o.cancel.Set():
			return c.cancelMoves(ctx, env, plan, o)
		}
		moves, err := c.movesUnderWay(ctx)
		if err == nil {
			env.printf("%s\n", describeMoves(moves))
		}
		return err
	})
}

// describeMoves is what --list prints.
func describeMoves(moves reassignments) string {
	if len(moves) == 0 {
		return "No partition reassignments found."
	}
	lines := []string{"Current partition reassignments:"}
	for _, name := range moves.names() {
		m := moves[name]
		line := fmt.Sprintf("%s: replicas: %s.", name, commas(m.replicas))
		if len(m.adding) > 0 {
			line += " adding: " + commas(m.adding) + "."
		}
		if len(m.removing) > 0 {
			line += " removing: " + commas(m.removing) + "."
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// verifyMoves is --verify.
func (c *client) verifyMoves(ctx context.Context, env *Env, plan *movePlan, preserve bool) error {
	moves, err := c.movesUnderWay(ctx)
	if err != nil {
		return err
	}
	current, err := c.replicasOf(ctx, plan.topics())
	if err != nil {
		return err
	}
	env.printf("Status of partition reassignment:\n")
	for _, name := range plan.names() {
		target, now := plan.replicas[name], current[name]
		_, moving := moves[name]
		switch {
		case moving:
			env.printf("Reassignment of partition %s is still in progress.\n", name)
		case slices.Equal(now, target):
			env.printf("Reassignment of partition %s is completed.\n", name)
		default:
			env.printf("There is no active reassignment of partition %s, but replica set is %s rather than %s.\n",
				name, commas(now), commas(target))
		}
	}
	dirsMoving, err := c.verifyDirectories(ctx, env, plan)
	if err != nil || preserve || len(moves) > 0 || dirsMoving {
		return err
	}
	return c.clearThrottles(ctx, env, plan)
}

// generateMoves is --generate.
func (c *client) generateMoves(ctx context.Context, env *Env, topics []string, brokerList string, racks bool) error {
	ids, err := parseBrokers(brokerList)
	if err != nil {
		return err
	}
	if twice := duplicates(topics); len(twice) > 0 {
		return sayf("List of topics to reassign contains duplicate entries: [%s]", strings.Join(twice, ", "))
	}
	current, err := c.replicasOf(ctx, topics)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		if !slices.ContainsFunc(current.names(), func(n partitionName) bool { return n.topic == topic }) {
			return sayf("Topic %s not found.", topic)
		}
	}
	brokers, err := c.brokersWithRacks(ctx, ids, racks)
	if err != nil {
		return err
	}
	proposed, err := propose(current, brokers)
	if err != nil {
		return err
	}
	dirs, err := c.directoriesOf(ctx, current)
	if err != nil {
		return err
	}
	env.printf("Current partition replica assignment\n%s\n\nProposed partition reassignment configuration\n%s\n",
		current.json(dirs), proposed.json(nil))
	return nil
}

// executeMoves is --execute.
func (c *client) executeMoves(ctx context.Context, env *Env, plan *movePlan, o *reassignOptions) error {
	if err := plan.check(); err != nil {
		return err
	}
	moves, err := c.movesUnderWay(ctx)
	if err != nil {
		return err
	}
	if len(moves) > 0 && !o.additional.Set() {
		return terse{existingReassignment}
	}
	if err := c.checkBrokers(ctx, plan); err != nil {
		return err
	}
	all, err := c.replicasOf(ctx, plan.topics())
	if err != nil {
		return err
	}
	current := assignment{}
	var missing []string
	for _, name := range plan.names() {
		if all[name] == nil {
			missing = append(missing, name.String())
			continue
		}
		current[name] = all[name]
	}
	if len(missing) > 0 {
		return sayf("Unable to find partition: %s", strings.Join(missing, ", "))
	}
	dirs, err := c.directoriesOf(ctx, current)
	if err != nil {
		return err
	}
	env.printf("Current partition replica assignment\n\n%s\n\nSave this to use as the --reassignment-json-file option "+
		"during rollback\n", current.json(dirs))
	if err := c.setThrottles(ctx, env, moves, plan, current, o); err != nil {
		return err
	}
	failed, err := c.alterMoves(ctx, plan.replicas, !o.sameRF.Set())
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		return terse{"Error reassigning partition(s):\n" + failed.String()}
	}
	env.printf("Successfully started partition reassignment%s for %s\n", plural(len(plan.replicas)), plan.list())
	return c.moveDirectories(ctx, env, plan.directories, o.timeout.Must())
}

// cancelMoves is --cancel.
func (c *client) cancelMoves(ctx context.Context, env *Env, plan *movePlan, o *reassignOptions) error {
	moves, err := c.movesUnderWay(ctx)
	if err != nil {
		return err
	}
	active := assignment{}
	for _, name := range plan.names() {
		if _, moving := moves[name]; moving {
			active[name] = nil
		}
	}
	if len(active) == 0 {
		env.printf("None of the specified partition reassignments are active.\n")
	} else {
		failed, err := c.alterMoves(ctx, active, true)
		if err != nil {
			return err
		}
		if len(failed) > 0 {
			return terse{fmt.Sprintf("Error cancelling partition reassignment%s for:\n%s", plural(len(failed)), failed)}
		}
		env.printf("Successfully cancelled partition reassignment%s for: %s\n", plural(len(active)), active.list())
	}
	back, err := c.directoriesLeft(ctx, plan)
	if err != nil {
		return err
	}
	if len(back) == 0 {
		env.printf("None of the specified partition moves are active.") // without an end of line, as Kafka has it
	} else if err := c.moveDirectories(ctx, env, back, o.timeout.Must()); err != nil {
		return err
	}
	if o.preserve.Set() {
		return nil
	}
	return c.clearThrottles(ctx, env, plan)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, sayf("Unable to read file %s: %w", path, err)
	}
	return data, nil
}
