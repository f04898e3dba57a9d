package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sys/unix"
)

// pollRecords is how many records are taken from the client at once, as max.poll.records is.
const pollRecords = 500

// goodbye bounds how long a consumer that ends may take to commit and to leave its group.
const goodbye = 5 * time.Second

// consuming is one run of a console consumer.
type consuming struct {
	env        *Env
	topic      string
	include    string // a regular expression of topics, when topic is ""
	assigned   bool   // reads one partition without a group
	partition  int32
	start      kgo.Offset
	max        int64 // -1: no limit
	bounded    bool  // idle is a limit
	idle       time.Duration
	skipErrors bool
	formatter  formatter
	modern     bool // says less than kafka-console-consumer

	count int64
}

// run reads until the context, the limit of records or the idle time ends it, and then commits,
// leaves the group and says how many records there were.
func (c *consuming) run(ctx context.Context, to target) error {
	// A reader of our output that goes away is to be noticed as an error and not to kill us before
	// we left the group.
	signal.Ignore(syscall.SIGPIPE)
	opts, err := c.options(to.overrides)
	if err != nil {
		return err
	}
	cl, err := c.env.connect(ctx, to, opts...)
	if err != nil {
		return err
	}
	grouped := !c.assigned
	commits := grouped && to.overrides["enable.auto.commit"] != "false"
	err = c.loop(ctx, cl, commits)
	c.leave(cl, grouped, commits)
	if !c.modern {
		c.env.warnf("Processed a total of %d messages\n", c.count)
	}
	if err == nil {
		err = afterSignal(ctx)
	}
	return err
}

func (c *consuming) options(props properties) ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if props["allow.auto.create.topics"] != "false" {
		opts = append(opts, kgo.AllowAutoTopicCreation())
	}
	if c.assigned {
		return append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			c.topic: {c.partition: c.start},
		})), nil
	}
	reset, err := resetOffset(props["auto.offset.reset"])
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.ConsumerGroup(props["group.id"]), kgo.ConsumeStartOffset(reset), kgo.ConsumeResetOffset(reset))
	if props["enable.auto.commit"] != "false" {
		opts = append(opts, kgo.AutoCommitMarks())
	}
	if c.topic != "" {
		return append(opts, kgo.ConsumeTopics(c.topic)), nil
	}
	return append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:"+c.include+")$")), nil
}

// resetOffset reads auto.offset.reset, with by_duration of KIP-1106.
func resetOffset(text string) (kgo.Offset, error) {
	switch {
	case text == "earliest":
		return kgo.NewOffset().AtStart(), nil
	case text == "latest", text == "":
		return kgo.NewOffset().AtEnd(), nil
	case text == "none":
		return kgo.NoResetOffset(), nil
	case strings.HasPrefix(text, "by_duration:"):
		age, err := parseDuration(strings.TrimPrefix(text, "by_duration:"))
		if err == nil && age >= 0 {
			return kgo.NewOffset().AfterMilli(time.Now().Add(-age).UnixMilli()), nil
		}
	}
	return kgo.Offset{}, sayf("Invalid value %s for configuration auto.offset.reset: "+
		"must be earliest, latest, none or by_duration:PnDTnHnMn.nS", text)
}

// loop shows records. What ended it is said here; only an error of a record is an error of the run.
func (c *consuming) loop(ctx context.Context, cl *client, commits bool) error {
	out := bufio.NewWriterSize(c.env.Stdout, 64<<10)
	for c.max < 0 || c.count < c.max {
		fetches, err := c.poll(ctx, cl)
		if errors.Is(err, errAbandoned) || errors.Is(err, errIdle) && c.modern {
			return nil
		}
		if err != nil {
			c.env.warnf("ERROR Error processing message, terminating consumer process: %s: %s\n",
				javaClass(err), errorText(err))
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			record := iter.Next()
			c.count++
			if err := c.formatter.write(out, record); err != nil {
				if !c.skipErrors {
					_ = out.Flush()
					return fmt.Errorf("Error processing message, terminating consumer process: %w", err)
				}
				c.env.warnf("ERROR Error processing message, skipping this message: %v\n", err)
			}
			if commits {
				cl.MarkCommitRecords(record)
			}
		}
		if err := out.Flush(); err != nil {
			c.env.warnf("Unable to write to standard out, closing consumer.\n")
			return nil
		}
	}
	return nil
}

// poll waits for records, no longer than the idle time. Errors that the client goes on after are
// no error here.
func (c *consuming) poll(ctx context.Context, cl *client) (kgo.Fetches, error) {
	limit := int64(pollRecords)
	if c.max >= 0 {
		limit = min(limit, c.max-c.count)
	}
	waiting, cancel := ctx, func() {}
	if c.bounded {
		waiting, cancel = context.WithTimeout(ctx, c.idle)
	}
	defer cancel()
	for {
		fetches, err := pollOnce(waiting, cl, int(limit))
		switch {
		case err != nil:
			return nil, err
		case fetches.NumRecords() > 0, ctx.Err() != nil:
			return fetches, nil
		case waiting.Err() != nil:
			return nil, errIdle
		case isAbandoned(c.env.Stdout):
			return nil, errAbandoned
		}
	}
}

// lookUp is how often a consumer without records looks whether its output still has a reader.
const lookUp = time.Second

func pollOnce(ctx context.Context, cl *client, limit int) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(ctx, lookUp)
	defer cancel()
	fetches := cl.PollRecords(ctx, limit)
	if fetches.NumRecords() > 0 || ctx.Err() != nil {
		return fetches, nil
	}
	return fetches, fetches.Err()
}

// isAbandoned says that the output is a pipe whose reader has gone, as after `| head -1`.
func isAbandoned(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	ready := []unix.PollFd{{Fd: int32(file.Fd())}}
	n, err := unix.Poll(ready, 0)
	return err == nil && n > 0 && ready[0].Revents&unix.POLLERR != 0
}

// errAbandoned ends a consumer whose output nobody reads.
var errAbandoned = errors.New("nobody reads the output")

// errIdle ends a consumer with --timeout-ms.
var errIdle = &serverError{code: kerr.RequestTimedOut.Code, message: "no record came within " +
	"--timeout-ms"}

// leave commits what was shown and leaves the group, so that its partitions move on at once.
func (c *consuming) leave(cl *client, grouped, commits bool) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if commits {
		if err := cl.CommitMarkedOffsets(ctx); err != nil && !errors.Is(err, context.Canceled) {
			c.env.warnf("ERROR Offsets were not committed: %s\n", errorText(err))
		}
	}
	if grouped {
		_ = cl.LeaveGroupContext(ctx) // the session timeout does it otherwise
	}
	cl.CloseAllowingRebalance()
}

// consumeCommand is `barnabas consume TOPIC`.
func consumeCommand(m *modern) *cobra.Command {
	var group, offset, formatterClass string
	var partition int32
	var count int64
	var idle time.Duration
	var clientProps, show []string
	var begin bool
	cmd := &cobra.Command{
		Use: "consume TOPIC", Short: "Print records", Args: cobra.ExactArgs(1),
		ValidArgsFunction: m.completeTopics,
		Example:           "  barnabas consume events --from-beginning --show key,offset -n 10",
		RunE: func(cmd *cobra.Command, args []string) error {
			run := consuming{env: m.env, topic: args[0], max: count, idle: idle, bounded: cmd.Flags().Changed("idle"), modern: true}
			formatterProps := properties{}
			for _, part := range show {
				formatterProps["print."+part] = "true"
			}
			var err error
			if m.output == "json" {
				run.formatter = jsonFormatter{}
			} else if run.formatter, err = newFormatter(m.env, formatterClass, formatterProps); err != nil {
				return err
			}
			props := properties{}.add(clientProps)
			props["client.id"] = "barnabas-consume"
			if begin {
				props["auto.offset.reset"] = "earliest"
			}
			if group == "" {
				group = fmt.Sprintf("barnabas-consume-%d", time.Now().UnixNano())
				props["enable.auto.commit"] = "false"
			}
			if cmd.Flags().Changed("partition") {
				run.assigned, run.partition = true, partition
				if run.start, err = modernOffset(offset, begin); err != nil {
					return err
				}
			} else {
				props["group.id"] = group
			}
			return run.run(cmd.Context(), target{
				bootstrap: m.bootstrap, zookeeper: m.zookeeper, config: m.commandConfig,
				overrides: props, defaults: memberDefaults(),
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&begin, "from-beginning", false, "begin at the earliest record")
	flags.StringVarP(&group, "group", "g", "", "consumer group to join; its offsets are committed")
	flags.Int32Var(&partition, "partition", 0, "read this one partition, without a group")
	flags.StringVar(&offset, "offset", "latest", "with --partition: a number, earliest or latest")
	flags.Int64VarP(&count, "count", "n", -1, "stop after so many records")
	flags.DurationVar(&idle, "idle", 0, "stop when no record came for so long (5s)")
	flags.StringSliceVar(&show, "show", nil, "what to print beside the value: "+
		"key,timestamp,partition,offset,headers,epoch")
	flags.StringVar(&formatterClass, "formatter", defaultFormatter, "how records are shown")
	flags.StringArrayVar(&clientProps, "property", nil, "a client property, key=value")
	return cmd
}

// memberDefaults are the Java consumer's, so that both can be members of one group.
func memberDefaults() properties {
	return properties{
		"max.poll.interval.ms": "300000", "session.timeout.ms": "45000", "heartbeat.interval.ms": "3000",
		"partition.assignment.strategy": "RangeAssignor,CooperativeStickyAssignor",
	}
}

func modernOffset(text string, begin bool) (kgo.Offset, error) {
	switch {
	case begin, text == "earliest":
		return kgo.NewOffset().AtStart(), nil
	case text == "latest":
		return kgo.NewOffset().AtEnd(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return kgo.Offset{}, usagef("--offset %s: want a number, earliest or latest", text)
	}
	return kgo.NewOffset().At(n), nil
}
