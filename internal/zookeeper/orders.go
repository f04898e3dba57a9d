package zookeeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/metadata"
	"barnabas/internal/wire"
	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/registry"
	"barnabas/internal/zookeeper/tree"
)

const (
	// askWithin is how long the controller has for what a client wants to have changed, unless Options say something else.
	askWithin = 20 * time.Second
	// maxAsked bounds the requests of one keeper that the controller has not answered.
	maxAsked = 64
	// aliveEvery is how often a session whose client waits for the controller is taken for heard of.
	aliveEvery = time.Second
)

var errNoController = errors.New("no broker has answered: the cluster may have no controller")

// intoPicture says whether a write is for the controller, or no client's at all.
func (r *replica) intoPicture(req *jute.Request) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.pictures) == 0 {
		return false
	}
	for i := range req.Parts {
		if _, p, _ := r.pictured(req.Parts[i].Path); p != nil {
			return true
		}
	}
	_, p, inside := r.pictured(req.Path)
	if p == nil {
		return false
	}
	local := *req
	local.Path = inside
	return !p.Stages(&local)
}

// order carries out a write into a cluster's picture, and waits for it: what this client asks next must see it.
func (c *conn) order(h jute.RequestHeader, req *jute.Request, arrived time.Time) bool {
	if !c.idle() {
		return false
	}
	ctx, cancel := context.WithTimeout(c.server.ctx, c.server.options.AskWithin)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	c.server.running.Add(1)
	go c.stayAlive(done)
	result, err := c.server.carryOut(ctx, req)
	if c.server.ctx.Err() != nil {
		return false
	}
	log := c.server.log.With("client", c.net.RemoteAddr(), "operation", opName(req.Op), "path", req.Path)
	var refusal *registry.Refusal
	switch {
	case errors.As(err, &refusal):
		result.Code = refusal.Code
		if refusal.Code == jute.NodeExists || refusal.Code == jute.NoNode {
			break // clients look that way whether something is there
		}
		log.Warn("zookeeper: a write into the cluster's picture is refused", "answer", refusal.Code.String(), "reason", refusal.Why)
	case err != nil && result.Path == "":
		result.Code = jute.OperationTimeout
		log.Warn("zookeeper: a write into the cluster's picture can't be carried out", "error", err)
	case err != nil:
		log.Warn("zookeeper: a part of a write into the cluster's picture can't be carried out", "error", err)
	}
	result.Op = req.Op
	c.reply(h.Xid, c.zxid(), multiCode(result), appendResult(nil, h.Op, result))
	c.done(arrived)
	return true
}

// stayAlive has the session of a client that waits for its answer live on.
func (c *conn) stayAlive(done <-chan struct{}) {
	defer c.server.running.Done()
	ticker := time.NewTicker(aliveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.local.heard.Store(int64(time.Since(c.server.started)))
		case <-done:
			return
		}
	}
}

// carryOut has a write into a picture carried out. A result with a path and an error is one of which a part is done.
func (s *Server) carryOut(ctx context.Context, req *jute.Request) (tree.Result, error) {
	if req.Op == jute.OpMulti {
		return s.refuseMulti(req)
	}
	chroot, order, err := s.replica.translate(req)
	if err != nil {
		return tree.Result{}, err
	}
	result := tree.Result{Path: chroot + order.Path}
	if order.Request != nil {
		s.log.Info("zookeeper: the controller is asked for what a client writes", "path", req.Path, "request", order.Request.Key())
		response, err := s.ask(ctx, chroot, order.Request)
		if err != nil {
			return tree.Result{}, err
		}
		var refusal *registry.Refusal
		if err = registry.Outcome(response); errors.As(err, &refusal) {
			return tree.Result{}, err
		}
		if order.Staged != "" {
			s.unstage(ctx, chroot+order.Staged)
		}
		result.Stat = s.statOf(req.Path)
		return result, err
	}
	result.Stat = s.statOf(req.Path)
	return result, nil
}

func (s *Server) statOf(path string) jute.Stat {
	s.replica.mu.RLock()
	defer s.replica.mu.RUnlock()
	n, _, _ := s.replica.shown(path)
	return n.Stat
}

// refuseMulti refuses all parts of a multi, for one of them is of a picture: the controller can't do several things at once.
func (s *Server) refuseMulti(req *jute.Request) (tree.Result, error) {
	result := tree.Result{}
	code := jute.OK
	s.replica.mu.RLock()
	defer s.replica.mu.RUnlock()
	for i := range req.Parts {
		part := tree.Result{Op: jute.OpError}
		if _, p, _ := s.replica.pictured(req.Parts[i].Path); code != jute.OK {
			part.Code = jute.RuntimeInconsistency
		} else if p != nil {
			code, part.Code = jute.NoAuth, jute.NoAuth
			req.Path = req.Parts[i].Path // for the log
		}
		result.Parts = append(result.Parts, part)
	}
	return result, &registry.Refusal{Code: code, Why: "what shows the cluster can't be changed within a multi"}
}

// translate finds out what a write into a picture comes to.
func (r *replica) translate(req *jute.Request) (string, registry.Order, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	chroot, p, inside := r.pictured(req.Path)
	if p == nil {
		return "", registry.Order{}, errNotServing
	}
	local := *req
	local.Path = inside
	var staged []byte
	if at := registry.StagedConfig(&local); at != "" {
		staged, _, _ = r.tree.Data(chroot+at, []jute.ID{tree.Super()})
	}
	order, err := p.Translate(&local, staged)
	return chroot, order, err
}

// unstage removes a node that has served its purpose.
func (s *Server) unstage(ctx context.Context, path string) {
	done := make(chan struct{})
	err := s.submit(&write{
		try:  func(d *tree.Draft) tree.Result { return d.Remove(path) },
		done: func(tree.Result, error) { close(done) },
	})
	if err != nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// ask brings a request to the controller of the cluster at a chroot, by way of the store, and its answer back. When that
// is there, everything that the controller has done is in the copy too.
func (s *Server) ask(ctx context.Context, chroot string, request kmsg.Request) (kmsg.Response, error) {
	name := newAsked()
	answers := make(chan []byte, 1)
	r := s.replica
	r.mu.Lock()
	if len(r.asked) >= maxAsked {
		r.mu.Unlock()
		return nil, fmt.Errorf("%d requests wait for the controller", maxAsked)
	}
	r.asked[name] = answers
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.asked, name)
		r.mu.Unlock()
	}()
	key := chroot + clusterRoot + metadata.AskedKey(name)
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("zookeeper")).AppendRequest(nil, request, 0)[4:]
	defer s.forget(key)
	if err := s.place(ctx, key, frame); err != nil {
		return nil, err
	}
	select {
	case answer := <-answers:
		return wire.DecodeAnswer(answer, request, 0)
	case <-ctx.Done():
		return nil, errNoController
	}
}

// place puts a request where the controller finds it, on this keeper's lease. A keeper that has just begun, or lost its
// lease, gets one soon. Where the store did not answer and it took place, it is there already.
func (s *Server) place(ctx context.Context, key string, frame []byte) error {
	for {
		lease := metadata.LeaseID(s.lease.Load())
		err := metadata.ErrLeaseLost
		if lease != 0 {
			_, err = s.options.Store.Txn(ctx, metadata.Txn{
				If:   []metadata.Compare{metadata.Absent(key)},
				Then: []metadata.Op{metadata.PutLeased(key, metadata.EncodeAsked(metadata.Asked{Lease: lease, Frame: frame}), lease)},
			})
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, metadata.ErrUnavailable) && !errors.Is(err, metadata.ErrLeaseLost) || ctx.Err() != nil {
			return err
		}
		pause(ctx, retryEvery)
	}
}

// forget removes what was asked, with or without an answer. What it can't remove goes with the lease.
func (s *Server) forget(key string) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	_, err := s.options.Store.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.Delete(key)}})
	if err != nil && s.ctx.Err() == nil {
		s.log.Info("zookeeper: what the controller was asked is left in the store until this keeper goes", "error", err)
	}
}

// heard takes an answer of the controller's; mu is held.
func (r *replica) heard(name string, e *metadata.Event) error {
	waits := r.asked[name]
	if waits == nil || e.Deleted {
		return nil
	}
	asked, err := metadata.DecodeAsked(e.Value)
	if err != nil || !asked.Answered {
		return err
	}
	delete(r.asked, name)
	waits <- asked.Frame
	return nil
}

func newAsked() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
