package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"barnabas/test/trials/nodes"
	"barnabas/test/trials/numbers"
)

// The load of every trial.
const (
	perSecond  = 2000
	recordSize = 1024
	partitions = 12
	hotTopic   = "numbers"
	coldTopic  = "cold"
)

// trial is one row of the table.
type trial struct {
	id, what string
	goal     string
	// replicas and minISR are those of the topic that the load goes to.
	replicas, minISR int16
	// rounds, and cold records of 1 KiB beside, for each size.
	rounds, cold sizes
	// alone: what the cold records' topic has one replica of too.
	alone bool
	// needs says which layout the trial is for; empty for the one that is asked for.
	needs nodes.Layout
	play  func(*game) error
}

type sizes struct{ quick, issue int }

func (s sizes) of(o options) int {
	if o.size == "issue" {
		return s.issue
	}
	return s.quick
}

// cannot says why a trial makes no sense for a system, or nothing.
func (t trial) cannot(s system) string {
	if t.needs != "" && s.kafka {
		return "it has no keepers of its own, and takes no second process of a number"
	}
	return ""
}

// game is a trial that runs.
type game struct {
	trial
	options options
	ctx     context.Context
	cluster *nodes.Cluster
	load    *numbers.Load
	played  int
	out     *outcome
}

// outcome is what a trial has measured.
type outcome struct {
	Trial, What, Goal, System, Cluster string
	Rounds, Served                     int
	Acked, Cold                        int
	Lost, ColdLost                     int
	Duplicated, Reordered, Displaced   int
	Refused                            int
	Stalls                             numbers.Stalls
	SlowestReady, SlowestServe         time.Duration
	SlowestStop                        time.Duration
	// TooEarly is how many replicas were not in sync when a node said that it is ready.
	TooEarly int
	// Losses are the entries of the loss ledger, -1 where there is none.
	Losses int
	// Troubles say what went wrong, Examples name records.
	Troubles, Examples []string
	Output             string `json:",omitempty"`
}

// measure runs the trial once and never fails: what went wrong is in the outcome.
func (t trial) measure(ctx context.Context, o options, s system) *outcome {
	out := &outcome{Trial: t.id, What: t.what, Goal: t.goal, System: s.name, Losses: -1}
	if t.needs != "" {
		o.layout = string(t.needs)
	}
	began := time.Now()
	fmt.Fprintf(os.Stderr, "%s, %s: %s\n", t.id, s.name, t.what)
	limited, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	g := &game{trial: t, options: o, ctx: limited, out: out}
	if err := g.run(ctx, s); err != nil {
		out.trouble("%v", err)
	}
	fmt.Fprintf(os.Stderr, "%s, %s: %s\n   %s\n", t.id, s.name, time.Since(began).Round(time.Second), out)
	return out
}

// run starts the cluster, plays and verifies.
func (g *game) run(ctx context.Context, s system) error {
	var err error
	g.cluster, err = s.start(g.ctx, g.options)
	if g.cluster != nil {
		g.out.Cluster = g.cluster.Name
		if g.options.keep {
			g.out.Output = g.cluster.Dir()
			fmt.Fprintln(os.Stderr, "   output in", g.cluster.Dir())
		}
		defer g.cluster.Close(g.options.keep)
	}
	if err != nil {
		return err
	}
	if err := g.createTopics(); err != nil {
		return err
	}
	cold, err := g.fill()
	if err != nil {
		return err
	}
	if err := g.startLoad(); err != nil {
		return err
	}
	if err := g.acknowledged(perSecond / 2); err != nil {
		return fmt.Errorf("before the first round: %w", err)
	}
	g.load.Mark()
	if err := g.play(g); err != nil {
		g.out.trouble("round %d: %v", g.played+1, err)
	}
	return g.finish(ctx, cold)
}

// startLoad begins to produce. What the client says of it is kept where everything else is.
func (g *game) startLoad() (err error) {
	o := g.loadOptions(hotTopic)
	if g.options.keep && g.options.above > 0 {
		log, err := os.Create(filepath.Join(g.cluster.Dir(), "client.log"))
		if err != nil {
			return err
		}
		o.Log = log
	}
	g.load, err = numbers.Start(o)
	return err
}

func (g *game) loadOptions(topic string) numbers.Options {
	o := numbers.Options{
		Target: g.cluster.Target(), Topic: topic, Partitions: partitions, Rate: perSecond, Size: recordSize,
	}
	if g.options.above > 0 {
		o.NoticeAbove = g.options.above
		o.Notice = func(partition int32, from, to time.Time) {
			fmt.Fprintf(os.Stderr, "   %s to %s: nothing from partition %d for %s\n", clock(from), clock(to), partition,
				to.Sub(from).Round(time.Millisecond))
		}
	}
	return o
}

// clock is a time as the brokers' logs have it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

func (g *game) createTopics() error {
	client, err := g.cluster.Target().Client()
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	type topic struct {
		name             string
		partitions       int32
		replicas, minISR int16
	}
	topics := []topic{{hotTopic, partitions, g.replicas, g.minISR}, {probeTopic, probePartitions, 3, 2}}
	if g.cold.of(g.options) > 0 {
		topics = append(topics, topic{coldTopic, partitions, 3, 2})
	}
	if g.alone {
		topics = append(topics, topic{aloneTopic, partitions, 1, 1})
	}
	for _, t := range topics {
		if err := createTopic(g.ctx, admin, t.name, t.partitions, t.replicas, t.minISR); err != nil {
			return err
		}
	}
	return nil
}

func createTopic(ctx context.Context, admin *kadm.Client, name string, partitions int32, replicas, minISR int16) error {
	min := fmt.Sprint(minISR)
	for {
		_, err := admin.CreateTopic(ctx, partitions, replicas, map[string]*string{"min.insync.replicas": &min}, name)
		if err == nil {
			return nil
		}
		select { // a Kafka that has just started does not know all of its brokers
		case <-ctx.Done():
			return fmt.Errorf("create topic %s: %w", name, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

const aloneTopic = "alone"

// fill writes what nobody touches afterwards.
func (g *game) fill() (map[string]*numbers.Sent, error) {
	cold := map[string]*numbers.Sent{}
	topics := []string{}
	if g.cold.of(g.options) > 0 {
		topics = append(topics, coldTopic)
	}
	if g.alone {
		topics = append(topics, aloneTopic)
	}
	for _, topic := range topics {
		began := time.Now()
		sent, err := numbers.Fill(g.ctx, g.loadOptions(topic), g.cold.of(g.options))
		if err != nil {
			return nil, err
		}
		g.out.Cold += sent.Acked
		cold[topic] = sent
		fmt.Fprintf(os.Stderr, "   %d records in topic %s, %s\n", sent.Acked, topic, time.Since(began).Round(time.Second))
	}
	return cold, nil
}

// finish ends the load and reads everything back.
func (g *game) finish(ctx context.Context, cold map[string]*numbers.Sent) error {
	g.out.Stalls = g.out.Stalls.Max(g.load.Stalls())
	flush, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	sent := g.load.Finish(flush)
	g.out.Rounds, g.out.Acked = g.played, sent.Acked
	g.out.Refused = sent.NotAcked()
	for why, count := range sent.Refused {
		g.out.trouble("%d records refused: %s", count, why)
	}
	read, cancel := context.WithTimeout(ctx, g.options.limit)
	defer cancel()
	verdict, err := numbers.Verify(read, g.cluster.Target(), hotTopic, sent)
	g.count(verdict, err, &g.out.Lost)
	for topic, sent := range cold {
		verdict, err := numbers.Verify(read, g.cluster.Target(), topic, sent)
		g.count(verdict, err, &g.out.ColdLost)
	}
	if g.cluster.Losses != nil {
		if g.out.Losses, err = g.cluster.Losses(read); err != nil {
			g.out.Losses = -1
			return fmt.Errorf("the loss ledger: %w", err)
		}
	}
	return nil
}

func (g *game) count(v *numbers.Verdict, err error, lost *int) {
	if err != nil {
		g.out.trouble("reading back: %v", err)
	}
	if v == nil {
		return
	}
	*lost += v.Lost
	g.out.Duplicated += v.Duplicated
	g.out.Reordered += v.Reordered
	g.out.Displaced += v.Displaced
	g.out.Examples = append(g.out.Examples, v.Examples...)
}

func (o *outcome) trouble(format string, args ...any) {
	o.Troubles = append(o.Troubles, fmt.Sprintf(format, args...))
}

// chooseTrials are those that the flags name.
func chooseTrials(o options) ([]trial, error) {
	if o.trials == "none" {
		return nil, nil
	}
	if o.trials == "all" {
		return trials, nil
	}
	var chosen []trial
	for _, id := range strings.Split(o.trials, ",") {
		found := false
		for _, t := range trials {
			if strings.EqualFold(t.id, id) {
				chosen, found = append(chosen, t), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no trial %q", id)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no trial is named")
	}
	return chosen, nil
}
