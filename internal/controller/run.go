package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

const (
	// retryAfter is the pause before the controller tries again what the store did not take.
	retryAfter = 100 * time.Millisecond
	// maxReplans bounds how often one command is planned anew because leaders changed their partitions meanwhile.
	maxReplans = 20
)

// command is a request on its way to the controller's goroutine, which calls serve once.
type command struct {
	ctx   context.Context
	serve func(ctx context.Context) error
	// done takes the outcome; it has room for it.
	done chan error
}

// ask has a command planned, committed and answered by the controller's goroutine.
func ask[T any](ctx context.Context, c *Controller, plan func(*state) (T, changes)) (T, error) {
	var outcome, none T
	cmd := command{ctx: ctx, done: make(chan error, 1)}
	cmd.serve = func(ctx context.Context) error {
		for range maxReplans {
			var made changes
			outcome, made = plan(c.state())
			err := c.settle(ctx, made)
			if !errors.Is(err, errConflict) {
				return err
			}
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, errConflict)
	}
	if !c.Elected() {
		return none, c.notElected()
	}
	select {
	case c.commands <- cmd:
	case <-ctx.Done():
		return none, unavailable(ctx.Err())
	case <-c.done:
		return none, ErrNotController
	}
	select {
	case err := <-cmd.done:
		if err != nil {
			return none, err
		}
		return outcome, nil
	case <-ctx.Done():
		return none, unavailable(ctx.Err()) // the goroutine may still serve it; only it touches outcome then
	case <-c.done:
		return none, ErrNotController
	}
}

// order is ask for a command that has no answer but a refusal.
func order(ctx context.Context, c *Controller, plan func(*state) (changes, error)) error {
	type outcome struct{ refused error }
	o, err := ask(ctx, c, func(s *state) (outcome, changes) {
		made, refused := plan(s)
		return outcome{refused}, made
	})
	if err != nil {
		return err
	}
	return o.refused
}

// settle commits, if there is anything to commit.
func (c *Controller) settle(ctx context.Context, made changes) error {
	if made.empty() {
		return nil
	}
	return c.commit(ctx, made)
}

// state is what a plan sees now.
func (c *Controller) state() *state {
	now := c.options.Clock()
	img := c.options.Feed.Current() // before the life: what is said in an older one counts for nothing in this
	return &state{
		img: img, life: c.options.Feed.Birth().Ensemble, view: c.options.View(), now: now,
		random:     rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		newTopicID: ident.NewTopicID,
		policy:     c.options.Policy,
	}
}

// run stands for election until it ends, and rules while elected.
func (c *Controller) run(ctx context.Context) {
	defer close(c.done)
	unsubscribe := c.options.Feed.Subscribe(func(_, _ *metadata.Image, d *metadata.Delta) {
		if c.news.add(d) {
			c.notice()
		}
	})
	defer unsubscribe()
	for ctx.Err() == nil {
		elected, err := c.campaign(ctx)
		if err == nil && elected {
			err = c.rule(ctx)
			c.resign(err)
		}
		c.refuseQueued()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			c.options.Logger.Warn("controller can't change the metadata, trying again", "error", err)
			c.wait(ctx, time.After(retryAfter))
		default:
			c.wait(ctx, nil)
		}
	}
}

// notice remembers that the cluster changed.
func (c *Controller) notice() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// wait returns when the cluster has changed or the time has come.
func (c *Controller) wait(ctx context.Context, timeout <-chan time.Time) {
	select {
	case <-c.changed:
	case <-timeout:
	case <-ctx.Done():
	}
}

// rule serves commands and changes of the cluster, until the election is lost or ctx ends.
func (c *Controller) rule(ctx context.Context) error {
	if err := c.options.Feed.Await(ctx, metadata.Revision(c.epoch.Load())); err != nil {
		return err
	}
	c.options.Logger.Info("elected as controller", "broker", c.options.Broker, "epoch", c.epoch.Load())
	for _, plan := range []func(*state) changes{planFirstFeatures, planLeftovers} {
		if err := c.settle(ctx, plan(c.state())); err != nil {
			return err
		}
	}
	if err := c.lead(ctx); err != nil {
		return err
	}
	rebalance := time.NewTimer(c.rebalanceEvery())
	defer rebalance.Stop()
	for {
		select {
		case <-rebalance.C:
			if err := c.carry(ctx, planRebalance); err != nil {
				return err
			}
			if err := c.bringHome(ctx); err != nil {
				return err
			}
			rebalance.Reset(c.rebalanceEvery())
		case cmd := <-c.commands:
			err := c.serve(ctx, cmd)
			if errors.Is(err, ErrUnavailable) || errors.Is(err, errFenced) {
				return err
			}
		case <-c.changed:
			if int64(c.options.Feed.Current().Controller().Epoch) != c.epoch.Load() {
				return errFenced
			}
			if err := c.attend(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// serve answers one command, unless its client has gone.
func (c *Controller) serve(ctx context.Context, cmd command) error {
	err := cmd.ctx.Err()
	if err == nil {
		err = cmd.serve(ctx)
	}
	cmd.done <- err
	return err
}

// lead elects wherever the brokers registered ask for it.
func (c *Controller) lead(ctx context.Context) error {
	if err := c.carry(ctx, planLeaders); err != nil {
		return err
	}
	if err := c.bringHome(ctx); err != nil {
		return err
	}
	return c.carry(ctx, planEvacuation)
}

// attend does what the news ask for.
func (c *Controller) attend(ctx context.Context) error {
	all, touched := c.news.take()
	if all {
		return c.lead(ctx)
	}
	err := c.carry(ctx, func(s *state) changes { return planTouched(s, touched) })
	if err == nil && c.away {
		err = c.bringHome(ctx)
	}
	return err
}

// bringHome has replicas go back to brokers that left and serve again.
func (c *Controller) bringHome(ctx context.Context) error {
	for {
		home := planHomecoming(c.state())
		c.away = home.waits
		if home.begun > 0 {
			c.options.Logger.Info("replicas go back to the broker that had left", "broker", home.broker, "partitions", home.begun)
		}
		if home.calledOff > 0 {
			c.options.Logger.Info("replicas do not go back, for their broker is gone again or leaves", "partitions", home.calledOff)
		}
		err := c.settle(ctx, home.changes)
		if !errors.Is(err, errConflict) {
			return err
		}
	}
}

// carry has a plan of elections come about, planned anew while leaders change their partitions.
func (c *Controller) carry(ctx context.Context, plan func(*state) changes) error {
	for {
		made := plan(c.state())
		c.logElections(made)
		c.logWaits(made)
		err := c.settle(ctx, made)
		if !errors.Is(err, errConflict) {
			return err
		}
	}
}

// logElections says what is about to happen to how many partitions, and each loss by name.
func (c *Controller) logElections(made changes) {
	if made.empty() {
		return
	}
	c.options.Logger.Info("electing leaders", "partitions", len(made.units))
	for _, loss := range made.losses {
		c.options.Logger.Error("records are lost", "topic", loss.Topic, "partition", loss.Partition,
			"from", int64(loss.Start), "to", int64(loss.End), "kind", string(loss.Kind),
			"leaderEpoch", int32(loss.LeaderEpoch), "cause", loss.Cause)
	}
}

// logWaits says for whom partitions wait, once for each broker while that is so.
func (c *Controller) logWaits(made changes) {
	var more []ident.BrokerID
	for _, id := range slices.Sorted(maps.Keys(made.waits)) {
		if !c.waits[id] {
			more = append(more, id)
		}
	}
	if made.all || c.waits == nil {
		c.waits = made.waits
	} else {
		maps.Copy(c.waits, made.waits)
	}
	if len(more) == 0 {
		return
	}
	c.options.Logger.Warn("partitions have no leader until brokers that are away, or can't read a log directory, have said what they hold and know: "+
		"others may lack some of it. Start them; one that is gone for good is to be unregistered (kafka-cluster unregister)",
		"brokers", more, "partitions", made.waiting)
}

// refuseQueued answers the commands that wait for a controller that is none.
func (c *Controller) refuseQueued() {
	for {
		select {
		case cmd := <-c.commands:
			cmd.done <- ErrNotController
		default:
			return
		}
	}
}
