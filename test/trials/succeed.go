package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"barnabas/test/trials/nodes"
)

// succeeding does with the cluster what `kubectl rollout restart` of all its Deployments does: beside every process an empty
// one with the same number is started; once all are ready the old ones are told to stop, all at the same moment.
func succeeding(brokers, keepers bool) func(*game) error {
	return func(g *game) error {
		return g.each(func(*nodes.Node) error { return g.succeed(brokers, keepers) })
	}
}

func (g *game) succeed(brokers, keepers bool) error {
	var incumbents []*nodes.Process
	began := time.Now()
	for _, n := range g.cluster.Nodes {
		old, err := n.Succeed(brokers, keepers)
		if err != nil {
			return err
		}
		incumbents = append(incumbents, old...)
	}
	for _, n := range g.cluster.Nodes {
		if err := g.cluster.AwaitReady(g.ctx, n); err != nil {
			return err
		}
		n.Lead(brokers, keepers, true)
	}
	fmt.Fprintf(os.Stderr, "   %s successors ready after %s\n", clock(time.Now()), time.Since(began).Round(time.Millisecond))
	for _, n := range g.cluster.Nodes {
		n.Lead(brokers, keepers, false)
	}
	errs := make([]error, len(incumbents))
	var all sync.WaitGroup
	for i, p := range incumbents {
		all.Go(func() {
			asked := time.Now()
			took, err := p.Stop(g.options.grace)
			if err != nil {
				g.trouble("%v", err)
			}
			g.stopped(took)
			fmt.Fprintf(os.Stderr, "   %s %s ended in %s\n", clock(asked), p.Name, took.Round(time.Millisecond))
			errs[i] = p.Wipe()
		})
	}
	all.Wait()
	return errors.Join(errors.Join(errs...), g.settled(g.cluster.Nodes...))
}
