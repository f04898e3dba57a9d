package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
)

type electionOptions struct {
	connectOptions
	file, topic, kind *jopt.Text
	partition         *jopt.Int
	all               *jopt.Flag
}

// runLeaderElection is kafka-leader-election.
func runLeaderElection(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool attempts to elect a new leader for a set of topic partitions. The type of elections " +
		"supported are preferred replicas and unclean replicas.")
	o := electionOptions{
		connectOptions: newConnectOptions(p),
		file: p.Text("path-to-json-file", "file", "The partitions:\n"+
			`{"partitions": [{"topic": "foo", "partition": 1}, {"topic": "foobar", "partition": 2}]}`),
		topic:     p.Text("topic", "topic", "The topic, together with --partition."),
		partition: p.Int("partition", "partition", "The partition, together with --topic."),
		all:       p.Flag("all-topic-partitions", "All partitions that the election is for."),
		kind: p.Text("election-type", "type", "REQUIRED: preferred, for partitions that another replica leads than the "+
			"first; or unclean, for partitions that nobody leads."),
	}
	o.config.Or("admin.config")
	if err := env.parse(p, args, p.Intro); err != nil {
		return err
	}
	if err := o.elect(ctx, env); err != nil {
		env.warnf("%s\n", errorText(err))
		return exitFailure
	}
	return nil
}

func (o *electionOptions) check() error {
	var missing []string
	if !o.bootstrap.Set() && !o.zookeeper.Set() {
		missing = append(missing, "bootstrap-server")
	}
	if !o.kind.Set() {
		missing = append(missing, "election-type")
	}
	switch {
	case len(missing) > 0:
		return sayf("Missing required option(s): %s", strings.Join(missing, ", "))
	case jopt.Count(o.topic, o.all, o.file) != 1:
		return sayf("One and only one of the following options is required: topic, all-topic-partitions, path-to-json-file")
	case o.topic.Set() && !o.partition.Set():
		return sayf("Missing required option(s): partition")
	case !o.topic.Set() && o.partition.Set():
		return sayf("Option partition is only allowed if topic is used")
	}
	return jopt.Check(o.bootstrap, o.config, o.file, o.topic, o.partition, o.kind)
}

func (o *electionOptions) elect(ctx context.Context, env *Env) error {
	if err := o.check(); err != nil {
		return err
	}
	kind, known := map[string]int8{"preferred": 0, "unclean": 1}[strings.ToLower(o.kind.Must())]
	if !known {
		return sayf("Cannot parse argument '%s' of option election-type", o.kind.Must())
	}
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType, req.TimeoutMillis = kind, int32(apiTimeout.Milliseconds()/2)
	if err := o.partitions(req); err != nil {
		return err
	}
	return o.run(ctx, env, func(ctx context.Context, c *client) error {
		return c.elect(ctx, env, req, strings.ToUpper(o.kind.Must()))
	})
}

// partitions adds those that the options name; none for all.
func (o *electionOptions) partitions(req *kmsg.ElectLeadersRequest) error {
	wanted := map[partitionName]bool{}
	switch {
	case o.topic.Set():
		wanted[partitionName{o.topic.Must(), int32(o.partition.Must())}] = true
	case o.file.Set():
		data, err := readFile(o.file.Must())
		if err != nil {
			return err
		}
		if wanted, err = parseElections(data); err != nil {
			return err
		}
	default:
		req.Topics = nil
		return nil
	}
	req.Topics = []kmsg.ElectLeadersRequestTopic{}
	for _, name := range namesOf(wanted) {
		last := len(req.Topics) - 1
		if last < 0 || req.Topics[last].Topic != name.topic {
			t := kmsg.NewElectLeadersRequestTopic()
			t.Topic = name.topic
			req.Topics, last = append(req.Topics, t), last+1
		}
		req.Topics[last].Partitions = append(req.Topics[last].Partitions, name.partition)
	}
	return nil
}

func parseElections(data []byte) (map[partitionName]bool, error) {
	var file struct {
		Partitions []struct {
			Topic     *string `json:"topic"`
			Partition *int32  `json:"partition"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, sayf("Replica election data is empty")
	}
	if file.Partitions == nil {
		return nil, sayf("Replica election data is missing \"partitions\" field")
	}
	wanted := map[partitionName]bool{}
	var twice []string
	for _, p := range file.Partitions {
		if p.Topic == nil || p.Partition == nil {
			return nil, sayf("Every partition needs a topic and a partition")
		}
		name := partitionName{*p.Topic, *p.Partition}
		if wanted[name] {
			twice = append(twice, name.String())
		}
		wanted[name] = true
	}
	if len(twice) > 0 {
		return nil, sayf("Replica election data contains duplicate partitions: [%s]", strings.Join(twice, ", "))
	}
	return wanted, nil
}

// elect asks for the elections, and tells what came of each.
func (c *client) elect(ctx context.Context, env *Env, req *kmsg.ElectLeadersRequest, kind string) error {
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, nil)
	}
	switch {
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		env.printf("Not authorized to perform leader election\n")
		return sayf("Not authorized to perform leader election")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, kerr.RequestTimedOut):
		env.printf("Timeout waiting for election results\n")
		return sayf("Timeout waiting for election results")
	case err != nil:
		return err
	}
	elected, needless, failed := map[partitionName]bool{}, map[partitionName]bool{}, failures{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			name := partitionName{t.Topic, p.Partition}
			switch err := codeError(p.ErrorCode, p.ErrorMessage); {
			case err == nil:
				elected[name] = true
			case errors.Is(err, kerr.ElectionNotNeeded):
				needless[name] = true
			default:
				failed[name] = err
			}
		}
	}
	if len(elected) > 0 {
		env.printf("Successfully completed leader election (%s) for partitions %s\n", kind, joinNames(elected))
	}
	if len(needless) > 0 {
		env.printf("Valid replica already elected for partitions %s\n", joinNames(needless))
	}
	for _, name := range namesOf(failed) {
		env.printf("Error completing leader election (%s) for partition: %s: %s: %s\n",
			kind, name, javaClass(failed[name]), errorText(failed[name]))
	}
	if len(failed) > 0 {
		return sayf("%d replica(s) could not be elected", len(failed))
	}
	return nil
}

func joinNames(set map[partitionName]bool) string {
	var words []string
	for _, name := range namesOf(set) {
		words = append(words, name.String())
	}
	return strings.Join(words, ", ")
}
