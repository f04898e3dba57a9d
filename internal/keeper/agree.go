package keeper

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	etcderrors "go.etcd.io/etcd/server/v3/etcdserver/errors"
	"go.etcd.io/raft/v3"
)

const (
	// agreeWithin bounds the wait for the ensemble to agree on a change of its members. Without a quorum, or where another
	// leader is elected meanwhile, it comes to nothing; who waits for it has to see that, and to ask again.
	agreeWithin = 2 * time.Second
	// attemptWithin is after what time a change is proposed again. Raft has one change of members under way, and drops
	// another that is proposed meanwhile without a word to anybody, as it does what was on its way to a leader that is
	// no more: whoever proposed that would wait in vain.
	attemptWithin = 400 * time.Millisecond
)

// agree has the ensemble agree on a change of its members, proposed again and again within the time given. done are errors
// that say that it has agreed already.
func agree(ctx context.Context, within time.Duration, done error, propose func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptWithin)
		err := propose(attempt)
		cancel()
		switch {
		case err == nil, errors.Is(err, done):
			return nil
		case ctx.Err() != nil || !wasLost(err):
			return err
		}
		pause(ctx, watchEvery)
	}
}

// wasLost tells whether nobody has answered a proposal.
func wasLost(err error) bool {
	for _, lost := range []error{
		etcderrors.ErrTimeout, etcderrors.ErrTimeoutDueToLeaderFail, etcderrors.ErrTimeoutDueToConnectionLost,
		raft.ErrProposalDropped, context.DeadlineExceeded,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// takeOut has the ensemble take a member out.
func takeOut(ctx context.Context, server *etcdServer, member uint64, within time.Duration) error {
	return agree(ctx, within, membership.ErrIDNotFound, func(ctx context.Context) error {
		_, err := server.RemoveMember(ctx, member)
		return err
	})
}
