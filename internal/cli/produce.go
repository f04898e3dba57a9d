package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxPendingLines is how many lines are read ahead of the producer.
const maxPendingLines = 1024

// producing is one run of a console producer.
type producing struct {
	env   *Env
	topic string
	sync  bool
	// strict makes a record that could not be sent an error of the whole run; kafka-console-producer
	// only logs it.
	strict bool

	failed atomic.Int64
}

type readLine struct {
	record *kgo.Record
	err    error
}

// run reads records from standard input and sends them until the input or the context ends; then
// it waits for all that is under way.
func (p *producing) run(ctx context.Context, to target, readerProps properties) error {
	reader, err := newLineReader(p.topic, readerProps, p.env.Stdin)
	if err != nil {
		return err
	}
	if isTerminal(p.env.Stdin) && isTerminal(p.env.Stdout) {
		reader.prompt = func() { p.env.printf(">") }
	}
	c, err := p.env.connect(ctx, to, kgo.AllowAutoTopicCreation(), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer c.Close()
	// What was accepted is sent even when a signal ends the reading, as long as that takes no
	// longer than the client's delivery timeout.
	sending := context.WithoutCancel(ctx)
	err = p.loop(ctx, sending, c, p.read(ctx, reader))
	if flushErr := c.Flush(sending); err == nil {
		err = flushErr
	}
	if n := p.failed.Load(); err == nil && n > 0 && p.strict {
		err = fmt.Errorf("%d records were not sent", n)
	}
	if err == nil {
		err = afterSignal(ctx)
	}
	return err
}

// read reads ahead in a goroutine of its own, since reading a terminal can't be interrupted; that
// goroutine ends with the input or at its next line after ctx.
func (p *producing) read(ctx context.Context, reader *lineReader) <-chan readLine {
	ahead := maxPendingLines
	if isTerminal(p.env.Stdin) {
		ahead = 0
	}
	lines := make(chan readLine, ahead)
	go func() {
		defer close(lines)
		for {
			record, err := reader.next()
			if errors.Is(err, io.EOF) {
				return
			}
			select {
			case lines <- readLine{record, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

func (p *producing) loop(ctx, sending context.Context, c *client, lines <-chan readLine) error {
	first := true
	for {
		var line readLine
		var open bool
		select {
		case line, open = <-lines:
		case <-ctx.Done():
			return nil
		}
		if !open {
			return nil
		}
		if line.err != nil {
			return line.err
		}
		if first {
			if err := p.awaitTopic(ctx, c); err != nil {
				sendError(p.env, line.record, err)
				return exitFailure
			}
			first = false
		}
		if err := p.send(sending, c, line.record); err != nil {
			return err
		}
	}
}

func (p *producing) send(ctx context.Context, c *client, record *kgo.Record) error {
	if p.sync {
		return c.ProduceSync(ctx, record).FirstErr()
	}
	c.Produce(ctx, record, func(record *kgo.Record, err error) {
		if err != nil {
			p.failed.Add(1)
			sendError(p.env, record, err)
		}
	})
	return nil
}

// awaitTopic waits up to max.block.ms until the topic has leaders. Asking creates it where the
// cluster does that.
func (p *producing) awaitTopic(ctx context.Context, c *client) error {
	limit, err := strconv.ParseInt(c.props["max.block.ms"], 10, 64)
	if err != nil {
		return sayf("Invalid value %s for configuration max.block.ms: %w", c.props["max.block.ms"], err)
	}
	waiting, cancel := context.WithTimeout(ctx, time.Duration(limit)*time.Millisecond)
	defer cancel()
	for {
		err := c.await(waiting)
		if err == nil {
			err = topicReady(waiting, c, p.topic)
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case waiting.Err() != nil:
			return sayf("Topic %s not present in metadata after %d ms.", p.topic, limit)
		case !errors.Is(err, kerr.UnknownTopicOrPartition) && !errors.Is(err, kerr.LeaderNotAvailable):
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-waiting.Done():
		}
	}
}

func topicReady(ctx context.Context, c *client, topic string) error {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = true
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := codeError(t.ErrorCode, nil); err != nil {
			return err
		}
		if len(t.Partitions) == 0 {
			return kerr.UnknownTopicOrPartition
		}
	}
	return nil
}

// produceCommand is `barnabas produce TOPIC`.
func produceCommand(m *modern) *cobra.Command {
	var reader, client []string
	var compression, acks, key string
	var sync, headers bool
	cmd := &cobra.Command{
		Use: "produce TOPIC", Short: "Publish the lines of standard input as records", Args: cobra.ExactArgs(1),
		ValidArgsFunction: m.completeTopics,
		Example:           "  echo 'user-1:signed up' | barnabas produce events --key-separator :",
		RunE: func(cmd *cobra.Command, args []string) error {
			overrides := properties{}.add(client)
			overrides["compression.type"], overrides["acks"] = compression, acks
			props := properties{}.add(reader)
			if key != "" {
				props["parse.key"], props["key.separator"] = "true", key
			}
			if headers {
				props["parse.headers"] = "true"
			}
			p := producing{env: m.env, topic: args[0], sync: sync, strict: true}
			return p.run(cmd.Context(), target{
				bootstrap: m.bootstrap, zookeeper: m.zookeeper, config: m.commandConfig,
				overrides: overrides, defaults: producerDefaults(),
			}, props)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&key, "key-separator", "k", "", "what sets the key apart from the value in a "+
		"line")
	flags.BoolVar(&headers, "headers", false, "lines begin with headers, h1:v1,h2:v2 and a tab")
	flags.StringVarP(&compression, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	flags.StringVar(&acks, "acks", "all", "acknowledgements to wait for: all, 1 or 0")
	flags.BoolVar(&sync, "sync", false, "send one record at a time and wait for each")
	flags.StringArrayVar(&reader, "reader-property", nil, "a setting of the line reader, key=value")
	flags.StringArrayVar(&client, "property", nil, "a client property, key=value")
	return cmd
}
