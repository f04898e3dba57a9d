// Command trials is the proof of the promise in figures: clusters of real processes whose nodes are stopped, wiped and
// started empty, under a load of numbered records, again and again. Afterwards every acknowledged record is read back.
//
//	make trials                                        all that the layout can, in a quick size
//	make trials ARGS="-trial A,D -size issue"          some, in the size of the table to compare with
//	make trials ARGS="-kafka"                          the same rounds against Apache Kafka 4.4 beside
//	make trials ARGS="-figure kill,term -trial none"   other figures
//
// Stalls are those that a client on the same machine saw: on a busy one they are upper bounds. The column "own" says how
// long the load itself did not run.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"barnabas/test/trials/nodes"
)

// options are what the flags say.
type options struct {
	trials, figures string
	layout          string
	size            string
	kafka           bool
	only            string
	rounds          int
	pace            string
	together        bool
	grace, limit    time.Duration
	seed            uint64
	keep            bool
	above           time.Duration
	out             string
	home            string
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == nodes.KeeperCommand {
		nodes.RunKeeper(os.Args[2], os.Args[3])
		return
	}
	o := options{}
	flag.StringVar(&o.trials, "trial", "all", "trials to run, A to L with commas, or none")
	flag.StringVar(&o.figures, "figure", "", "other figures to measure: "+strings.Join(figureNames(), ", ")+", or all")
	flag.StringVar(&o.layout, "layout", string(nodes.Inside), "inside: three processes with keepers inside; six: keepers beside brokers; services: these behind Services; apart: one keeper that stays. Trials that want one of their own have it")
	flag.StringVar(&o.size, "size", "quick", "quick, or issue: the rounds and records of the table to compare with")
	flag.BoolVar(&o.kafka, "kafka", false, "run the same rounds against Apache Kafka from Maven Central too")
	flag.StringVar(&o.only, "only", "", "one system only: barnabas or kafka")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds of each trial (0: those of its size)")
	flag.StringVar(&o.pace, "pace", "readyz", "when a node is ready: readyz; metadata: it answers Metadata; insync: its replicas are in sync")
	flag.BoolVar(&o.together, "together", true, "layout six: a node's keeper is stopped and wiped with its broker")
	flag.DurationVar(&o.grace, "grace", 30*time.Second, "how long a stop may take before kill -9 follows")
	flag.DurationVar(&o.limit, "limit", 5*time.Minute, "the longest that one trial may take")
	flag.Uint64Var(&o.seed, "seed", 1, "of the pauses that are drawn")
	flag.BoolVar(&o.keep, "keep", false, "keep what the processes printed")
	flag.DurationVar(&o.above, "above", 0, "say when a partition had no acknowledgement for longer than this")
	flag.StringVar(&o.out, "out", "dist/trials", "folder for table.md and results.json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "trials:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the module's folder: %w", err)
	}
	o.home = strings.TrimSpace(string(root))
	systems, err := o.systems()
	if err != nil {
		return err
	}
	chosen, err := chooseTrials(o)
	if err != nil {
		return err
	}
	figures, err := chooseFigures(o)
	if err != nil {
		return err
	}
	var all results
	for _, t := range chosen {
		for _, s := range systems {
			if ctx.Err() != nil {
				break
			}
			if why := t.cannot(s); why != "" {
				fmt.Fprintf(os.Stderr, "%s, %s: not run, %s\n", t.id, s.name, why)
				continue
			}
			all.Trials = append(all.Trials, t.measure(ctx, o, s))
		}
	}
	for _, f := range figures {
		for _, s := range systems {
			if ctx.Err() == nil {
				all.Figures = append(all.Figures, f.measure(ctx, o, s)...)
			}
		}
	}
	if !filepath.IsAbs(o.out) {
		o.out = filepath.Join(o.home, o.out)
	}
	return all.report(o.out)
}

// system is what may be tried: it makes a cluster in a directory.
type system struct {
	name  string
	kafka bool
	make  func(dir, net string, layout nodes.Layout, settings ...string) *nodes.Cluster
}

func (o options) systems() ([]system, error) {
	var all []system
	if o.only != "kafka" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		b := nodes.Barnabas{
			Program:    cmp.Or(os.Getenv("BARNABAS"), filepath.Join(o.home, "bin", "barnabas")),
			KeeperArgs: []string{self, nodes.KeeperCommand},
		}
		switch nodes.Layout(o.layout) {
		case nodes.Inside, nodes.Six, nodes.Apart, nodes.Services:
		default:
			return nil, fmt.Errorf("-layout %s: inside, six, apart or services is wanted", o.layout)
		}
		all = append(all, system{name: "Barnabas", make: func(dir, net string, layout nodes.Layout, settings ...string) *nodes.Cluster {
			b := b
			b.Dir, b.Net, b.Layout, b.Settings = dir, net, layout, settings
			return b.Cluster()
		}})
	}
	if o.kafka || o.only == "kafka" {
		jars := filepath.Join(o.home, ".cache", "bench", "kafka")
		if err := nodes.FetchKafka(filepath.Join(o.home, "bench", "pom.xml"), jars); err != nil {
			return nil, err
		}
		all = append(all, system{name: "Apache Kafka", kafka: true, make: func(dir, net string, _ nodes.Layout, _ ...string) *nodes.Cluster {
			return nodes.Kafka{Jars: jars, Dir: dir, Net: net}.Cluster()
		}})
	}
	return all, nil
}

// start makes a cluster and has it run.
func (s system) start(ctx context.Context, o options, settings ...string) (*nodes.Cluster, error) {
	net, err := nodes.Net()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "barnabas-trials-")
	if err != nil {
		return nil, err
	}
	c := s.make(dir, net, nodes.Layout(o.layout), settings...)
	c.ReadyByMetadata = o.pace == "metadata"
	return c, c.Start(ctx)
}
