package broker

import (
	"errors"
	"fmt"
	"strings"

	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

var errNotMember = errors.New("this broker is not registered in the cluster")

// atRiskError names partitions that a broker can't leave behind.
type atRiskError []controller.Risk

func (e atRiskError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d partitions at risk without this broker:", len(e))
	for i, risk := range e {
		if i == namedRisks {
			fmt.Fprintf(&text, "\n… and %d more", len(e)-i)
			break
		}
		text.WriteString("\n" + risk.String())
	}
	return text.String()
}

// catchingUp names the partitions whose copies here are not in sync although somebody leads them. A partition without a
// leader is not waited for: those who could lead it may be waiting for this broker to be ready.
func catchingUp(image *metadata.Image, self *metadata.Broker) []ident.TopicPartition {
	var behind []ident.TopicPartition
	for topic := range image.Topics() {
		for n, p := range topic.Partitions() {
			if !p.HasReplica(self.ID) || p.Leader == ident.NoBroker || image.Broker(p.Leader) == nil {
				continue
			}
			if m, inSync := p.InISR(self.ID); !inSync || image.Holder(m) != self {
				behind = append(behind, ident.TopicPartition{Topic: topic.Name, Partition: n})
			}
		}
	}
	return behind
}

// isReady is nil once clients are served here and every replica here has been in sync. It does not go back when one falls
// behind later: that is no reason to send clients elsewhere.
func (b *Broker) isReady() error {
	if b.standingBy.Load() {
		return nil // it serves by way of the incumbent, which is told to go only when this one is ready
	}
	if err := b.ready.err(); err != nil || b.caughtUp.Load() {
		return err
	}
	image := b.feed.Current()
	me := image.Broker(b.id)
	if me == nil {
		return errNotMember
	}
	if behind := catchingUp(image, me); len(behind) > 0 {
		return fmt.Errorf("copying: %d partitions are not in sync yet, such as %s", len(behind), behind[0])
	}
	if err := b.keeperReady(); err != nil {
		return err
	}
	b.caughtUp.Store(true)
	return nil
}

// keeperReady is nil once the member of the ensemble in this process counts, or where there is none. Until then the
// ensemble does not outlive the next member that goes: whoever restarts one node after another has to wait.
func (b *Broker) keeperReady() error {
	if b.meta.member == nil {
		return nil
	}
	if err := b.meta.member.Ready(); err != nil {
		return fmt.Errorf("the keeper in this process: %w", err)
	}
	return nil
}

// addSafety shows in the metrics what /safe-to-stop says.
func (b *Broker) addSafety() {
	b.registry.Gauge("barnabas_partitions_at_risk", "Partitions that would lose records, or their minimum of copies in sync, "+
		"if this broker stopped now.", func() float64 {
		image := b.feed.Current()
		if me := image.Broker(b.id); me != nil {
			return float64(len(controller.AtRisk(image, b.settings.view(), me)))
		}
		return 0
	})
}
