package traffic

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that is cut from the keepers names leaders that have been deposed. Who goes back to one of them is told of a gap in
// its sequence.
func TestDeposedLeadersAreNotBelieved(t *testing.T) {
	env := &Env{Addresses: []string{"a", "b"}, At: func(broker int32) string { return []string{"a", "b"}[broker] }}
	c, topic := env.client("client", 1), &Topic{ID: [16]byte{1}, Partitions: 1}
	for _, heard := range []struct {
		leader, epoch int32
		want          string
	}{{0, 1, "a"}, {1, 2, "b"}, {0, 1, ""}, {1, 2, "b"}, {0, 3, "a"}} {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Leader, p.LeaderEpoch = heard.leader, heard.epoch
		c.believe(topic, []kmsg.MetadataResponseTopicPartition{p})
		if at := c.leaders[topic.ID][0]; (at < 0) != (heard.want == "") || at >= 0 && c.At(at) != heard.want {
			t.Errorf("leader %d in epoch %d: %d is believed to lead", heard.leader, heard.epoch, at)
		}
	}
}
