package group

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/coordinator"
)

// Heartbeat keeps a member's session alive and tells it of a rebalance.
func (g *Groups) Heartbeat(r *kmsg.HeartbeatRequest, done func(errorCode int16)) {
	if r.Group == "" {
		done(kerr.InvalidGroupID.Code)
		return
	}
	g.command(r.Group,
		func(m *machine, s *step) {
			errorCode := code(m.heartbeat(s, r))
			s.reply(func(err error) {
				if err != nil {
					errorCode = code(err)
				}
				done(errorCode)
			})
		},
		func(err error) {
			// While the groups are read nothing is known against the member: let it go on.
			if errors.Is(err, coordinator.ErrLoading) {
				err = nil
			}
			done(code(err))
		})
}

func (m *machine) heartbeat(s *step, r *kmsg.HeartbeatRequest) error {
	g := m.groups[r.Group]
	if g == nil {
		return kerr.UnknownMemberID
	}
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	if r.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	g.keepAlive(s, g.byID[r.MemberID])
	if g.state == preparingRebalance {
		return kerr.RebalanceInProgress
	}
	return nil
}

// sessionExpired takes out a member that was not heard of within its session timeout. One whose join
// or sync waits can't heartbeat; a new one is only waited for so long.
func (g *group) sessionExpired(s *step, mb *member) {
	if !mb.isNew && (mb.join != nil || mb.sync != nil) {
		return
	}
	g.log().Info("member's session has expired", "member", mb.id, "client", mb.client.ID,
		"sessionTimeout", mb.sessionTimeout.String())
	g.leave(s, mb)
	g.afterLeaving(s, "session of "+mb.id+" expired")
}

// pendingExpired forgets an id that was given out and never joined with.
func (g *group) pendingExpired(s *step, memberID string) {
	g.log().Info("member never joined with its id", "member", memberID)
	g.drop(memberID)
	if g.state == preparingRebalance && g.allJoined() {
		g.completeJoin(s)
	}
}
