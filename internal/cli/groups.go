package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
)

type groupsOptions struct {
	p *jopt.Parser

	bootstrap, zookeeper, commandConfig, group, topic *jopt.Text
	list, describe, delete, reset, deleteOffsets      *jopt.Flag
	allGroups, allTopics, members, offsets, verbose   *jopt.Flag
	state, kind, validateRegex                        *jopt.Text
	timeout, toOffset, shiftBy                        *jopt.Long
	dryRun, execute, export                           *jopt.Flag
	toEarliest, toLatest, toCurrent                   *jopt.Flag
	toDatetime, byDuration, fromFile                  *jopt.Text

	named []partitionName // what --topic names, once the cluster has been asked
}

func newGroupsOptions() *groupsOptions {
	p := jopt.New("This tool lists and describes consumer groups, deletes them, and resets or " +
		"deletes their offsets.")
	o := &groupsOptions{p: p}
	o.bootstrap = p.Text("bootstrap-server", "host:port,…", "REQUIRED, unless --zookeeper is given: "+
		"the brokers to connect to.")
	o.zookeeper = p.Text("zookeeper", "host:port,…", "The keepers to learn the brokers from.")
	o.commandConfig = p.Text("command-config", "file", "Client properties, for example for security.")
	o.group = p.Text("group", "group id", "The group; may be repeated.")
	o.topic = p.Text("topic", "topic", "A topic, with --reset-offsets and --delete-offsets also "+
		"topic:0,1,2; may be repeated.")
	o.list = p.Flag("list", "List the groups.")
	o.describe = p.Flag("describe", "Describe groups: offsets and lag, or what --members or --state "+
		"asks for.")
	o.delete = p.Flag("delete", "Delete groups.")
	o.reset = p.Flag("reset-offsets", "Set the offsets of a group without members. --dry-run shows "+
		"what would be, --execute does it. "+
		"One of --to-datetime, --by-duration, --to-earliest, --to-latest, --shift-by, --from-file, "+
		"--to-current, --to-offset says where to; "+
		"--all-topics or --topic for what.")
	o.deleteOffsets = p.Flag("delete-offsets", "Delete a group's offsets of topics.")
	o.allGroups = p.Flag("all-groups", "All groups.")
	o.allTopics = p.Flag("all-topics", "With --reset-offsets: all topics that the group has offsets "+
		"of.")
	o.members = p.Flag("members", "With --describe: the members.")
	o.offsets = p.Flag("offsets", "With --describe: the offsets and lag. This is the default.")
	o.verbose = p.Flag("verbose", "With --describe: more.")
	o.state = p.OptionalText("state", "", "With --describe: the state. With --list: show the "+
		"states; with a value, only groups in these states.")
	o.kind = p.OptionalText("type", "", "With --list: show the types; with a value, only groups of "+
		"these types.")
	o.validateRegex = p.Text("validate-regex", "regex", "Check a regular expression in the syntax "+
		"of RE2 and end.")
	o.timeout = p.Long("timeout", "ms", "How long the whole may take.").Default(30_000)
	o.dryRun = p.Flag("dry-run", "Only show what would be done.")
	o.execute = p.Flag("execute", "Do it.")
	o.export = p.Flag("export", "Show the result as CSV.")
	o.toEarliest = p.Flag("to-earliest", "Reset to the earliest offset.")
	o.toLatest = p.Flag("to-latest", "Reset to the latest offset.")
	o.toCurrent = p.Flag("to-current", "Reset to the current offset.")
	o.toOffset = p.Long("to-offset", "offset", "Reset to an offset.")
	o.shiftBy = p.Long("shift-by", "number", "Reset to so many after the current offset, or before "+
		"it if negative.")
	o.toDatetime = p.Text("to-datetime", "datetime", "Reset to the first record from that time on: "+
		"YYYY-MM-DDThh:mm:ss.sss, and a zone: Z, +hh or +hh:mm. Without one it is UTC.")
	o.byDuration = p.Text("by-duration", "duration", "Reset to the first record of the last "+
		"PnDTnHnMnS.")
	o.fromFile = p.Text("from-file", "file", "Reset to what a CSV file says.")
	return o
}

func (o *groupsOptions) scenarios() []jopt.Option {
	return []jopt.Option{o.toOffset, o.shiftBy, o.toDatetime, o.byDuration, o.toEarliest, o.toLatest, o.toCurrent, o.fromFile}
}

// check says what Kafka's tool says of options that don't go together.
func (o *groupsOptions) check(env *Env) error {
	p := o.p
	if !o.bootstrap.Set() && !o.zookeeper.Set() {
		return p.Required(o.bootstrap)
	}
	if o.describe.Set() {
		if !o.group.Set() && !o.allGroups.Set() {
			return p.Usagef("Option [describe] takes one of these options: [group], [all-groups]")
		}
		if jopt.Count(o.members, o.offsets, o.state) > 1 {
			return p.Usagef("Option [describe] takes at most one of these options: [members], [offsets], " +
				"[state]")
		}
		if o.state.Must() != "" {
			return p.Usagef("Option [describe] does not take a value for [state]")
		}
	}
	if o.delete.Set() {
		if !o.group.Set() && !o.allGroups.Set() {
			return p.Usagef("Option [delete] takes one of these options: [group], [all-groups]")
		}
		if o.topic.Set() {
			return p.Usagef("The consumer does not support topic-specific offset deletion from a consumer " +
				"group.")
		}
	}
	if o.deleteOffsets.Set() && (!o.group.Set() || !o.topic.Set()) {
		return p.Usagef("Option [delete-offsets] takes the following options: [topic], [group]")
	}
	if o.reset.Set() {
		if err := o.checkReset(env); err != nil {
			return err
		}
	}
	for _, err := range []error{
		o.availableIf(o.members, o.describe), o.availableIf(o.offsets, o.describe), o.availableIf(o.verbose, o.describe),
		o.availableIf(o.state, o.describe, o.list), o.availableIf(o.kind, o.list),
		p.Exclusive(o.group, o.allGroups, o.list),
		p.Exclusive(o.topic, o.list, o.describe),
		p.ExactlyOne("Command must include exactly one action: --list, --describe, --delete, "+
			"--reset-offsets, --delete-offsets, --validate-regex",
			o.list, o.describe, o.delete, o.reset, o.deleteOffsets),
	} {
		if err != nil {
			return err
		}
	}
	err := jopt.Check(o.bootstrap, o.zookeeper, o.commandConfig, o.state, o.kind, o.timeout, o.toDatetime, o.byDuration, o.fromFile)
	if err != nil {
		return p.Usagef("%v", err)
	}
	return nil
}

func (o *groupsOptions) availableIf(option jopt.Option, with ...jopt.Option) error {
	if option.Set() && jopt.Count(with...) == 0 {
		return o.p.Usagef("Option(s) [%s] are unavailable given other options on the command line",
			option.Name())
	}
	return nil
}

func (o *groupsOptions) checkReset(env *Env) error {
	p := o.p
	if o.dryRun.Set() && o.execute.Set() {
		return p.Usagef("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
	}
	if !o.dryRun.Set() && !o.execute.Set() {
		env.warnf("WARN: No action will be performed as the --execute option is missing. " +
			"In version 5.0, this command will require either --dry-run or --execute to be specified. " +
			"You should add the --dry-run option explicitly if you are scripting this command and want to " +
			"keep the current default behavior without prompting.\n")
	}
	if !o.group.Set() && !o.allGroups.Set() {
		return p.Usagef("Option [reset-offsets] takes one of these options: [group], [all-groups]")
	}
	for _, scenario := range o.scenarios() {
		if err := p.Exclusive(scenario, o.scenarios()...); err != nil {
			return err
		}
	}
	return nil
}

// runGroups is kafka-consumer-groups. As with Kafka's, a failure of the cluster is told on
// standard output and the exit status stays 0.
func runGroups(ctx context.Context, env *Env, args []string) error {
	o := newGroupsOptions()
	if err := env.parse(o.p, args, o.p.Intro); err != nil {
		return err
	}
	if o.validateRegex.Set() {
		return o.validate(env)
	}
	if err := o.check(env); err != nil {
		return err
	}
	if err := jopt.Check(o.toOffset, o.shiftBy); err != nil { // Kafka's tool reads them only where it resets
		env.printError("Executing consumer group command failed due to %s", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.timeout.Must())*time.Millisecond)
	defer cancel()
	connect := connectOptions{o.p, o.bootstrap, o.zookeeper, o.commandConfig}
	err := connect.run(ctx, env, func(ctx context.Context, c *client) error { return o.perform(ctx, env, c) })
	var usage *jopt.UsageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &usage):
		return err
	}
	cause := errorText(err)
	if class := javaClass(err); !strings.HasPrefix(class, "java.lang") {
		cause = class + ": " + cause
	}
	env.printError("Executing consumer group command failed due to %s", cause)
	return nil
}

func (o *groupsOptions) validate(env *Env) error {
	text := o.validateRegex.Must()
	_, err := regexp.Compile(text)
	var broken *syntax.Error
	if errors.As(err, &broken) {
		env.printf("The regular expression `%s` is invalid: %s.\n", text, broken.Code)
		return nil
	}
	env.printf("The regular expression `%s` is valid.\n", text)
	return nil
}

func (o *groupsOptions) perform(ctx context.Context, env *Env, c *client) error {
	switch {
	case o.list.Set():
		return o.runList(ctx, env, c)
	case o.describe.Set():
		return o.runDescribe(ctx, env, c)
	case o.delete.Set():
		return o.runDelete(ctx, env, c)
	case o.reset.Set():
		return o.runReset(ctx, env, c)
	}
	return o.runDeleteOffsets(ctx, env, c)
}

func (env *Env) printError(format string, args ...any) {
	env.printf("\nError: "+format+"\n", args...)
}

// groupIDs are the groups that --group or --all-groups names.
func (o *groupsOptions) groupIDs(ctx context.Context, c *client) ([]string, error) {
	if !o.allGroups.Set() {
		return o.group.Values(), nil
	}
	groups, err := c.listGroups(ctx, nil, nil)
	ids := make([]string, len(groups))
	for i, g := range groups {
		ids[i] = g.Group
	}
	return ids, err
}

var groupStates = []string{"Assigning", "Dead", "Empty", "CompletingRebalance", "Reconciling", "PreparingRebalance", "Stable"}

func (o *groupsOptions) runList(ctx context.Context, env *Env, c *client) error {
	states, ok := knownWords(o.state.Must(), groupStates)
	if !ok {
		return o.p.Usagef("Invalid state list '%s'. Valid states are: %s", o.state.Must(),
			strings.Join(groupStates, ", "))
	}
	types, ok := knownWords(o.kind.Must(), []string{"Classic", "Consumer"})
	if !ok {
		return o.p.Usagef("Invalid types list '%s'. Valid types are: Consumer, Classic", o.kind.Must())
	}
	groups, err := c.listGroups(ctx, states, types)
	if err != nil {
		return err
	}
	width := 15
	for _, g := range groups {
		width = max(width, len(g.Group))
	}
	row := func(group, kind, state string) {
		switch {
		case o.kind.Set() && o.state.Set():
			env.printf("%-*s %-20s %-20s\n", width+10, group, kind, state)
		case o.kind.Set():
			env.printf("%-*s %-20s\n", width+10, group, kind)
		case o.state.Set():
			env.printf("%-*s %-20s\n", width+10, group, state)
		default:
			env.printf("%s\n", group)
		}
	}
	if o.kind.Set() || o.state.Set() {
		row("GROUP", "TYPE", "STATE")
	}
	for _, g := range groups {
		row(g.Group, g.Type, g.State)
	}
	return nil
}

// knownWords splits a list and finds each word among the known ones, in any case.
func knownWords(list string, known []string) ([]string, bool) {
	var words []string
	for _, word := range strings.Split(list, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, word) })
		if i < 0 {
			return nil, false
		}
		words = append(words, known[i])
	}
	return words, true
}

func (o *groupsOptions) runDelete(ctx context.Context, env *Env, c *client) error {
	ids, err := o.groupIDs(ctx, c)
	if err != nil {
		return err
	}
	answers, err := c.adm.DeleteGroups(ctx, ids...)
	if err != nil {
		return err
	}
	var deleted, failed []string
	for _, id := range ids {
		if err := answers[id].Err; err != nil {
			failed = append(failed, fmt.Sprintf("* Group '%s' could not be deleted due to: %s: %s\n", id,
				javaClass(err), errorText(err)))
		} else {
			deleted = append(deleted, id)
		}
	}
	if len(failed) == 0 {
		env.printf("Deletion of requested consumer groups ('%s') was successful.\n", strings.Join(deleted,
			"', '"))
		return nil
	}
	env.printError("Deletion of some consumer groups failed:")
	env.printf("%s", strings.Join(failed, ""))
	if len(deleted) > 0 {
		env.printf("\nThese consumer groups were deleted successfully: '%s'\n", strings.Join(deleted,
			"', '"))
	}
	return nil
}

func (o *groupsOptions) runDeleteOffsets(ctx context.Context, env *Env, c *client) error {
	group, err := o.group.Value()
	if err != nil {
		return o.p.Usagef("%v", err)
	}
	partitions, missing, err := o.toForget(ctx, c)
	if err != nil {
		return err
	}
	status := map[partitionName]error{}
	for _, topic := range missing {
		status[partitionName{topic, -1}] = kerr.UnknownTopicOrPartition
	}
	answer, err := c.deleteOffsets(ctx, group, partitions)
	if err != nil {
		return err
	}
	top := codeError(answer.ErrorCode, nil)
	failed := false
	for _, name := range partitions {
		status[name] = top
	}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			err := codeError(p.ErrorCode, nil)
			status[partitionName{t.Topic, p.Partition}] = err
			failed = failed || err != nil
		}
	}
	switch {
	case errors.Is(top, kerr.GroupIDNotFound):
		env.printError("The group id does not exist.")
	case errors.Is(top, kerr.InvalidGroupID):
		env.printError("'%s' is not valid.", group)
	case errors.Is(top, kerr.GroupAuthorizationFailed):
		env.printError("Access to '%s' is not authorized.", group)
	case errors.Is(top, kerr.NonEmptyGroup):
		env.printError("Deleting offsets of a consumer group '%s' is forbidden if the group is not "+
			"empty.", group)
	case top != nil:
		env.printError("Encounter some unknown error: %s", errorText(top))
	case failed:
		env.printError("Encountered some partition-level error, see the follow-up details.")
	default:
		env.printf("Request succeeded for deleting offsets from group %s.\n", group)
	}
	printDeletedOffsets(env, status)
	return nil
}

func printDeletedOffsets(env *Env, status map[partitionName]error) {
	names, width := namesOf(status), 15
	for _, name := range names {
		width = max(width, len(name.topic))
	}
	env.printf("\n%-*s %-10s %-15s", width, "TOPIC", "PARTITION", "STATUS")
	for _, name := range names {
		partition, result := "-", "Successful"
		if name.partition >= 0 {
			partition = fmt.Sprint(name.partition)
		}
		if err := status[name]; err != nil {
			result = fmt.Sprintf("Error: %s: %s", javaClass(err), errorText(err))
		}
		env.printf("\n%-*s %-10s %-15s", width, name.topic, partition, result)
	}
	env.printf("\n")
}

func (c *client) deleteOffsets(ctx context.Context, group string, partitions []partitionName) (*kmsg.OffsetDeleteResponse, error) {
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = group
	for topic, ids := range byTopic(partitions) {
		t := kmsg.NewOffsetDeleteRequestTopic()
		t.Topic = topic
		for _, id := range ids {
			p := kmsg.NewOffsetDeleteRequestTopicPartition()
			p.Partition = id
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return req.RequestWith(ctx, c)
}
