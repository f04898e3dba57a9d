package api

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/controller"
)

// creations are topics that are made because somebody asked for them, who is answered before they are there. One goroutine
// makes what is wanted, all at once, and ends when nothing is left. Clients ask again: nothing is tried twice here.
type creations struct {
	create func(context.Context, []controller.NewTopic) ([]controller.CreatedTopic, error)
	exists func(name string) bool // true by the time that create returns
	ctx    context.Context
	cancel context.CancelFunc
	maker  sync.WaitGroup

	mu       sync.Mutex
	wanted   []creation
	underWay map[string]bool // by name, those wanted included
	making   bool

	said map[string]string // why a topic could not be made, by its name; the maker's
}

// creation is a topic that is wanted, and the log of the call that wanted it.
type creation struct {
	topic  controller.NewTopic
	logger *slog.Logger
}

const (
	// maxCreations bounds how many topics are made at a time; whoever wants more has to ask again.
	maxCreations = 10_000
	// creationTimeout bounds how long a controller is waited for.
	creationTimeout = 10 * time.Second
	// maxSaid bounds how many topics' errors are remembered.
	maxSaid = 1000
)

func newCreations(a *API) *creations {
	c := &creations{create: a.CreateTopics, underWay: make(map[string]bool), said: make(map[string]string)}
	c.exists = func(name string) bool { return a.Metadata.Current().Topic(name) != nil }
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// want has a topic made, unless it is being made or has been since the caller looked: nobody may find it made anew
// who has deleted it meanwhile.
func (c *creations) want(topic controller.NewTopic, logger *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil || c.underWay[topic.Name] || len(c.underWay) >= maxCreations || c.exists(topic.Name) {
		return
	}
	c.underWay[topic.Name] = true
	c.wanted = append(c.wanted, creation{topic, logger})
	if !c.making {
		c.making = true
		c.maker.Go(c.make)
	}
}

func (c *creations) make() {
	for batch := c.next(nil); len(batch) > 0; batch = c.next(batch) {
		topics := make([]controller.NewTopic, len(batch))
		for i := range batch {
			topics[i] = batch[i].topic
		}
		ctx, cancel := context.WithTimeout(c.ctx, creationTimeout)
		made, err := c.create(ctx, topics)
		cancel()
		c.report(batch, made, err)
	}
}

// next is what is wanted by now; what was made may be wanted anew.
func (c *creations) next(made []creation) []creation {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range made {
		delete(c.underWay, m.topic.Name)
	}
	batch := c.wanted
	c.wanted, c.making = nil, len(batch) > 0
	return batch
}

func (c *creations) report(wanted []creation, made []controller.CreatedTopic, err error) {
	if err != nil {
		wanted[0].logger.Warn("topics could not be created automatically",
			"topic", wanted[0].topic.Name, "topics", len(wanted), "error", err)
		return
	}
	by := make(map[string]*slog.Logger, len(wanted))
	for _, w := range wanted {
		by[w.topic.Name] = w.logger
	}
	for _, t := range made {
		switch {
		case t.Err == nil:
			by[t.Name].Info("topic created automatically", "topic", t.Name, "partitions", t.Partitions)
		case !errors.Is(t.Err, controller.ErrTopicExists) && c.news(t.Name, t.Err.Error()):
			by[t.Name].Warn("topic could not be created automatically", "topic", t.Name, "error", t.Err)
		}
	}
}

// news tells whether that was not said of the topic before: clients ask ten times a second.
func (c *creations) news(name, why string) bool {
	if c.said[name] == why {
		return false
	}
	if len(c.said) >= maxSaid {
		clear(c.said)
	}
	c.said[name] = why
	return true
}

// close gives up what is being made.
func (c *creations) close() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.maker.Wait()
}
