package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
)

// runDeleteRecords is kafka-delete-records.
func runDeleteRecords(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool deletes the records of partitions before an offset.")
	connect := newConnectOptions(p)
	file := p.Text("offset-json-file", "file", "REQUIRED: the JSON file with the offsets; -1 is the "+
		"high watermark:\n"+
		`{"partitions": [{"topic": "foo", "partition": 1, "offset": 1}], "version": 1}`)
	if err := env.parse(p, args, p.Intro); err != nil {
		return err
	}
	if err := connect.required(); err != nil {
		return err
	}
	if err := p.Required(file); err != nil {
		return err
	}
	data, err := os.ReadFile(file.Must())
	if err != nil {
		return err
	}
	before, err := parseDeletions(data)
	if err != nil {
		env.warnf("%v\n", err)
		return exitFailure
	}
	return connect.run(ctx, env, func(ctx context.Context, c *client) error {
		env.printf("Executing records delete operation\n")
		deleted, err := c.deleteRecords(ctx, before)
		if err != nil {
			return err
		}
		env.printf("Records delete operation completed:\n")
		for _, name := range namesOf(deleted) {
			if err := deleted[name].err; err != nil {
				env.printf("partition: %s-%d\terror: %s: %s\n", name.topic, name.partition, javaClass(err),
					errorText(err))
			} else {
				env.printf("partition: %s-%d\tlow_watermark: %d\n", name.topic, name.partition,
					deleted[name].offset)
			}
		}
		return nil
	})
}

// parseDeletions reads the JSON of --offset-json-file.
func parseDeletions(data []byte) (partitionOffsets, error) {
	var file struct {
		Version    *int `json:"version"`
		Partitions []struct {
			Topic     *string `json:"topic"`
			Partition *int32  `json:"partition"`
			Offset    *int64  `json:"offset"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, sayf("The input string is not a valid JSON: %w", err)
	}
	if file.Version != nil && *file.Version != 1 {
		return nil, sayf("Not supported version field value %d", *file.Version)
	}
	if file.Partitions == nil {
		return nil, sayf("Missing partitions field")
	}
	before := partitionOffsets{}
	var duplicates []string
	for _, p := range file.Partitions {
		if p.Topic == nil || p.Partition == nil || p.Offset == nil {
			return nil, sayf("Every partition needs a topic, a partition and an offset")
		}
		name := partitionName{*p.Topic, *p.Partition}
		if _, twice := before[name]; twice {
			duplicates = append(duplicates, fmt.Sprintf("%s-%d", name.topic, name.partition))
		}
		before[name] = *p.Offset
	}
	if len(duplicates) > 0 {
		return nil, sayf("Offset json file contains duplicate topic partitions: %s",
			strings.Join(duplicates, ","))
	}
	return before, nil
}

// deleteRecords deletes what lies before the offsets, and returns the new starts of the logs.
func (c *client) deleteRecords(ctx context.Context, before partitionOffsets) (foundOffsets, error) {
	deleted := foundOffsets{}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	topics := map[string]*kmsg.DeleteRecordsRequestTopic{}
	for name, offset := range before {
		if topics[name.topic] == nil {
			t := kmsg.NewDeleteRecordsRequestTopic()
			t.Topic = name.topic
			topics[name.topic] = &t
		}
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = name.partition, offset
		topics[name.topic].Partitions = append(topics[name.topic].Partitions, p)
	}
	for _, t := range topics {
		req.Topics = append(req.Topics, *t)
	}
	for _, shard := range c.RequestSharded(ctx, req) {
		var known *kerr.Error
		if errors.As(shard.Err, &known) {
			for _, t := range shard.Req.(*kmsg.DeleteRecordsRequest).Topics {
				for _, p := range t.Partitions {
					deleted[partitionName{t.Topic, p.Partition}] = foundOffset{-1, shard.Err}
				}
			}
			continue
		}
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.DeleteRecordsResponse).Topics {
			for _, p := range t.Partitions {
				deleted[partitionName{t.Topic, p.Partition}] = foundOffset{p.LowWatermark, codeError(p.ErrorCode, nil)}
			}
		}
	}
	return deleted, nil
}

// deleteRecordsCommand is `barnabas delete-records TOPIC:PARTITION:OFFSET...`.
func deleteRecordsCommand(m *modern) *cobra.Command {
	return &cobra.Command{
		Use: "delete-records TOPIC:PARTITION:OFFSET...", Short: "Delete the records before an offset " +
			"(-1: all there are)",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			before := partitionOffsets{}
			for _, word := range args {
				parts := strings.Split(word, ":")
				if len(parts) != 3 {
					return usagef("%q: want TOPIC:PARTITION:OFFSET", word)
				}
				partition, err := strconv.ParseInt(parts[1], 10, 32)
				offset, err2 := strconv.ParseInt(parts[2], 10, 64)
				if err != nil || err2 != nil {
					return usagef("%q: want TOPIC:PARTITION:OFFSET", word)
				}
				before[partitionName{parts[0], int32(partition)}] = offset
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				deleted, err := c.deleteRecords(ctx, before)
				if err != nil {
					return err
				}
				var failed error
				for _, name := range namesOf(deleted) {
					if result := deleted[name]; result.err != nil {
						failed = errors.Join(failed, fmt.Errorf("%s: %s", name, errorText(result.err)))
					} else {
						m.env.printf("%s begins at %d\n", name, result.offset)
					}
				}
				return failed
			})
		},
	}
}
