package group

import (
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocol is a name with what a member says under it.
type protocol = kmsg.JoinGroupRequestProtocol

// consumerType is the protocol type of consumers; others, such as Kafka Connect, bring their own.
const consumerType = "consumer"

// supports says whether a member with these protocols could be in the group: of its type, with one
// protocol at least that all members speak.
func (g *group) supports(protocolType string, protocols []protocol) bool {
	if g.state == empty {
		return protocolType != "" && len(protocols) > 0
	}
	if g.protocolType != protocolType {
		return false
	}
	for _, p := range protocols {
		if g.allSpeak(p.Name) {
			return true
		}
	}
	return false
}

func (g *group) allSpeak(protocol string) bool {
	return g.spoken[protocol] == len(g.members)
}

// count adds n to the number of members that speak each of a member's protocols.
func (g *group) count(mb *member, n int) {
	if g.spoken == nil {
		g.spoken = map[string]int{}
	}
	for i, p := range mb.protocols {
		if slices.ContainsFunc(mb.protocols[:i], func(q protocol) bool { return q.Name == p.Name }) {
			continue
		}
		if g.spoken[p.Name] += n; g.spoken[p.Name] == 0 {
			delete(g.spoken, p.Name)
		}
	}
}

// selectProtocol lets each member vote for the first of its protocols that all speak; the most votes
// win, and of equals the one voted for first.
func (g *group) selectProtocol() string {
	votes := map[string]int{}
	best := ""
	for _, mb := range g.members {
		for _, p := range mb.protocols {
			if g.allSpeak(p.Name) {
				votes[p.Name]++
				break
			}
		}
	}
	for _, mb := range g.members {
		for _, p := range mb.protocols {
			if best == "" && votes[p.Name] > 0 || votes[p.Name] > votes[best] {
				best = p.Name
			}
		}
	}
	return best
}

// subscribedTopics collects the topics that consumers subscribe to: nil when the group isn't of
// consumers or a member's metadata can't be read.
func (g *group) subscribedTopics() map[string]struct{} {
	if g.protocolType != consumerType {
		return nil
	}
	topics := map[string]struct{}{}
	if len(g.members) == 0 {
		return topics
	}
	if g.protocol == nil {
		return nil
	}
	for _, mb := range g.members {
		names, ok := subscription(mb.metadata(*g.protocol))
		if !ok {
			g.log().Warn("can't read a member's subscription: its topics' offsets won't expire",
				"member", mb.id, "protocol", *g.protocol)
			return nil
		}
		for _, name := range names {
			topics[name] = struct{}{}
		}
	}
	return topics
}

// subscription reads the topics from a consumer's metadata: the version and the topics, with which
// every version of it begins.
func subscription(metadata []byte) (topics []string, ok bool) {
	if len(metadata) < 6 || int16(binary.BigEndian.Uint16(metadata)) < 0 {
		return nil, false
	}
	n := int32(binary.BigEndian.Uint32(metadata[2:]))
	metadata = metadata[6:]
	if n < 0 || int(n) > len(metadata)/2 {
		return nil, false
	}
	topics = make([]string, n)
	for i := range topics {
		if len(metadata) < 2 {
			return nil, false
		}
		size := int(int16(binary.BigEndian.Uint16(metadata)))
		if size < 0 || size > len(metadata)-2 {
			return nil, false
		}
		topics[i] = string(metadata[2 : 2+size])
		metadata = metadata[2+size:]
	}
	return topics, true
}

// subscribes reports whether members consume the topic; of a group whose topics aren't known that is
// supposed if they are consumers.
func (g *group) subscribes(topic string) bool {
	if g.topics == nil {
		return g.protocolType == consumerType
	}
	_, ok := g.topics[topic]
	return ok
}
