package controller

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/scenario"
)

// TestScenarios runs the scripts in testdata: each line is a command or an event of the cluster, and
// the lines below it that begin with > say what the plan makes of it.
func TestScenarios(t *testing.T) {
	scenario.Play(t, "testdata/*.txt", func(t *testing.T) scenario.Event {
		s := newStage(t)
		return func(words []string) []string { return s.event(words[0], words[1:]) }
	})
}

// stage is a cluster without a store: plans are applied to the image as they are.
type stage struct {
	t      *testing.T
	img    *metadata.Image
	keys   map[string]metadata.KV
	random *rand.Rand
	topics int
	view   *config.View
	down   map[ident.BrokerID]bool // brokers whose machines went down, which nobody has noticed
	lives  int                     // of the keepers
}

func newStage(t *testing.T) *stage {
	return &stage{
		t: t, img: metadata.NewImage(), keys: map[string]metadata.KV{}, down: map[ident.BrokerID]bool{},
		random: rand.New(rand.NewPCG(1, 2)), view: config.Defaults(),
	}
}

func (s *stage) state() *state {
	return &state{
		img: s.img, life: s.life(), view: s.view, now: time.UnixMilli(1000), random: s.random,
		newTopicID: func() ident.TopicID {
			s.topics++
			return ident.TopicID{0: byte(s.topics)}
		},
	}
}

func (s *stage) life() string { return fmt.Sprint("life ", s.lives) }

// event carries out one line and describes the outcome.
func (s *stage) event(verb string, args []string) []string {
	switch verb {
	case "broker": // broker 1 store=a rack=r torn untold silent leaving failed=1
		s.register(args)
		return s.lead()
	case "unnoticed": // as broker, and the controller has not looked yet
		s.register(args)
		return nil
	case "down": // its machine, and nobody has noticed: down 1
		s.down[brokerID(args[0])] = true
		return nil
	case "successor": // successor 1 store=x
		b := metadata.Broker{Stores: []ident.StoreID{storeID(strings.TrimPrefix(args[1], "store="))}}
		s.apply(metadata.Put(metadata.SuccessorKey(brokerID(args[0])), metadata.EncodeBroker(&b)))
		return s.lead()
	case "home":
		h := planHomecoming(s.state())
		described := s.perform(h.changes)
		if h.waits {
			described = append(described, "waits")
		}
		return described
	case "evacuate":
		return s.perform(planEvacuation(s.state()))
	case "settled": // the registration says no more that it is torn
		b := *s.img.Broker(brokerID(args[0]))
		b.Torn = false
		s.apply(metadata.Put(metadata.BrokerKey(b.ID), metadata.EncodeBroker(&b)))
		return s.lead()
	case "gone":
		s.apply(metadata.Delete(metadata.BrokerKey(brokerID(args[0]))))
		return s.lead()
	case "setting": // dynamic, of all brokers
		name, value, _ := strings.Cut(args[0], "=")
		s.view = s.view.WithDynamic(map[string]string{name: value}, nil)
		return nil
	case "create":
		return s.create(args)
	case "lengthen":
		return s.lengthen(args)
	case "delete":
		return s.remove(args)
	case "config":
		return s.config(args)
	case "feature":
		return s.feature(args)
	case "unregister":
		made, err := planUnregister(s.state(), brokerID(args[0]))
		return append([]string{s.outcome(err)}, s.perform(made)...)
	case "elect":
		return s.elect(args)
	case "answer": // answer 1 t-0 start=0 end=500 epoch=3 hw=400 old offline
		return s.answer(args)
	case "reassign": // reassign t-0:2,3 t-1:cancel same-factor
		return s.reassign(args)
	case "resize": // resize t 3
		return s.resize(args[0], int(number(s.t, args[1])))
	case "risk":
		return s.risk(brokerID(args[0]))
	case "rebalance":
		return s.perform(planRebalance(s.state()))
	case "join": // a leader's own change: join t-0 2:b
		return append(s.join(args), s.touched(args[0])...)
	case "exchange": // a leader's own change, of a broker's store for its successor's: exchange t-0 2:y
		return append(s.exchange(args), s.touched(args[0])...)
	case "succeeds": // the incumbent has gone, and its successor registers: succeeds 2
		b := s.img.Successor(brokerID(args[0]))
		value := metadata.EncodeBroker(b)
		delete(s.keys, metadata.BrokerKey(b.ID))
		s.apply(metadata.Put(metadata.BrokerKey(b.ID), value), metadata.Put(metadata.MemberKey(b.ID), value),
			metadata.Delete(metadata.SuccessorKey(b.ID)))
		return s.lead()
	case "isr": // a leader's own change: isr t-0 1,2
		topic, p := s.partition(args[0])
		next := *p
		next.Epoch++
		next.ISR = filter(p.ISR, func(m metadata.Member) bool { return slices.Contains(brokerIDs(args[1]), m.Broker) })
		s.apply(metadata.Put(s.keyOf(topic, args[0]), metadata.EncodePartition(&next)))
		return s.show(topic.Name)
	case "loss": // the keepers lose everything, all brokers die, and a partition is put back, in doubt: loss t-0
		s.lives++
		for _, b := range s.img.Brokers() {
			s.apply(metadata.Delete(metadata.BrokerKey(b.ID)))
		}
		return s.event("putback", args)
	case "waits": // for whom partitions have no leader
		made := planLeaders(s.state())
		return []string{fmt.Sprint(made.waiting, " wait for ", slices.Sorted(maps.Keys(made.waits)))}
	case "putback": // a state from somebody's disk, while others have not said what they know: putback t-0
		topic, p := s.partition(args[0])
		next := *p
		next.Epoch++
		next.LeaderEpoch++
		next.Leader, next.Inquiry = ident.NoBroker, metadata.InquiryRestored
		s.apply(metadata.Put(s.keyOf(topic, args[0]), metadata.EncodePartition(&next)))
		return s.show(topic.Name)
	case "show":
		return s.show(args[0])
	}
	s.t.Fatalf("unknown verb %q", verb)
	return nil
}

// join has a leader take a copy into the in-sync set.
func (s *stage) join(args []string) []string {
	topic, p := s.partition(args[0])
	id, store, _ := strings.Cut(args[1], ":")
	next := *p
	next.Epoch++
	next.ISR = append(slices.Clone(p.ISR), metadata.Member{Broker: brokerID(id), Store: storeID(store)})
	s.apply(metadata.Put(s.keyOf(topic, args[0]), metadata.EncodePartition(&next)))
	return s.show(topic.Name)
}

// exchange has a leader name a broker's successor in its place; where it names its own, that one leads in the next epoch.
func (s *stage) exchange(args []string) []string {
	topic, p := s.partition(args[0])
	id, store, _ := strings.Cut(args[1], ":")
	next := *p
	next.Epoch++
	next.ISR = slices.Clone(p.ISR)
	for i, m := range next.ISR {
		if m.Broker == brokerID(id) {
			next.ISR[i].Store = storeID(store)
		}
	}
	if p.Leader == brokerID(id) {
		next.LeaderEpoch++
	}
	s.apply(metadata.Put(s.keyOf(topic, args[0]), metadata.EncodePartition(&next)))
	return s.show(topic.Name)
}

func (s *stage) register(args []string) {
	b := &metadata.Broker{ID: brokerID(args[0]), Features: SupportedFeatures(), Told: s.life(), ToldAll: true}
	for _, arg := range args[1:] {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "store":
			for _, store := range strings.Split(value, ",") {
				b.Stores = append(b.Stores, storeID(store))
			}
		case "rack":
			b.Rack = value
		case "torn":
			b.Torn, b.ToldAll = true, false
		case "untold": // its disk does not have all that it knew when the keepers lost everything
			b.ToldAll = false
		case "silent": // it has lived on, and has not put back yet what it knows
			b.Told = ""
		case "leaving":
			b.Leaving = true
		case "failed":
			b.Failed = int(number(s.t, value))
		case "metadata.version":
			b.Features[MetadataVersion] = metadata.FeatureRange{Min: 1, Max: int16(number(s.t, value))}
		}
	}
	delete(s.down, b.ID)
	// A registration is a new key each time.
	delete(s.keys, metadata.BrokerKey(b.ID))
	value := metadata.EncodeBroker(b)
	s.apply(metadata.Put(metadata.BrokerKey(b.ID), value), metadata.Put(metadata.MemberKey(b.ID), value))
}

func (s *stage) create(args []string) []string {
	topic := NewTopic{Name: args[0], Partitions: -1, ReplicationFactor: -1}
	if topic.Name == "''" {
		topic.Name = ""
	}
	for _, arg := range args[1:] {
		switch name, value, set := strings.Cut(arg, "="); name {
		case "partitions":
			topic.Partitions = int32(number(s.t, value))
		case "replicas":
			topic.ReplicationFactor = int16(number(s.t, value))
		case "assign": // assign=0:1,2/1:2,3
			for part := range strings.SplitSeq(value, "/") {
				n, replicas, _ := strings.Cut(part, ":")
				topic.Assignments = append(topic.Assignments, Assignment{int32(number(s.t, n)), brokerIDs(replicas)})
			}
		default:
			entry := ConfigEntry{Name: name}
			if set {
				entry.Value = &value
			}
			topic.Configs = append(topic.Configs, entry)
		}
	}
	outcomes, made := planCreateTopics(s.state(), []NewTopic{topic})
	s.perform(made)
	if outcomes[0].Err != nil {
		return []string{s.outcome(outcomes[0].Err)}
	}
	return s.show(topic.Name)
}

func (s *stage) lengthen(args []string) []string {
	more := MorePartitions{Topic: args[0], Count: int32(number(s.t, args[1]))}
	if len(args) > 2 {
		for part := range strings.SplitSeq(strings.TrimPrefix(args[2], "assign="), "/") {
			more.Assignments = append(more.Assignments, brokerIDs(part))
		}
	}
	outcomes, made := planMorePartitions(s.state(), []MorePartitions{more})
	s.perform(made)
	if outcomes[0] != nil {
		return []string{s.outcome(outcomes[0])}
	}
	return s.show(args[0])
}

func (s *stage) remove(args []string) (answers []string) {
	var refs []TopicRef
	for _, arg := range args {
		ref := TopicRef{Name: arg}
		if n, ok := strings.CutPrefix(arg, "id="); ok {
			ref = TopicRef{ID: ident.TopicID{0: byte(number(s.t, n))}}
		} else if name, n, ok := strings.Cut(arg, "+id="); ok {
			ref = TopicRef{Name: name, ID: ident.TopicID{0: byte(number(s.t, n))}}
		}
		if arg == "''" {
			ref = TopicRef{}
		}
		refs = append(refs, ref)
	}
	outcomes, made := planDeleteTopics(s.state(), refs)
	s.perform(made)
	for _, o := range outcomes {
		answers = append(answers, fmt.Sprintf("%s: %s", o.Name, s.outcome(o.Err)))
	}
	return append(answers, fmt.Sprintf("%d topics, %d keys", s.img.NumTopics(), len(s.keys)))
}

// config topic t set a=1 append b=x delete c; or config topic t replace a=1
func (s *stage) config(args []string) []string {
	change := AlterResource{Resource: metadata.Resource{Type: metadata.ResourceType(args[0]), Name: args[1]}}
	if args[1] == "''" {
		change.Resource.Name = ""
	}
	ops := map[string]ConfigOp{"set": ConfigSet, "delete": ConfigDelete, "append": ConfigAppend, "subtract": ConfigSubtract}
	var op ConfigOp
	for _, arg := range args[2:] {
		if next, ok := ops[arg]; ok {
			op = next
			continue
		}
		if arg == "replace" {
			change.Replace = true
			continue
		}
		name, value, set := strings.Cut(arg, "=")
		c := ConfigChange{Name: name, Op: op}
		if set {
			c.Value = &value
		}
		change.Changes = append(change.Changes, c)
	}
	outcomes, made := planAlterConfigs(s.state(), []AlterResource{change})
	s.perform(made)
	if outcomes[0] != nil {
		return []string{s.outcome(outcomes[0])}
	}
	return []string{fmt.Sprint("ok ", s.img.Config(change.Resource))}
}

func (s *stage) feature(args []string) []string {
	if len(args) == 0 {
		s.perform(planFirstFeatures(s.state()))
		return []string{fmt.Sprint(s.img.Features())}
	}
	u := FeatureUpdate{Name: args[0], Level: int16(number(s.t, args[1])), Downgrade: FeatureUpgrade}
	if len(args) > 2 {
		u.Downgrade = FeatureDowngrade(number(s.t, args[2]))
	}
	made, err := planFeatures(s.state(), []FeatureUpdate{u})
	s.perform(made)
	return []string{s.outcome(err), fmt.Sprint(s.img.Features())}
}

func (s *stage) elect(args []string) []string {
	kind := map[string]ElectionType{"preferred": PreferredElection, "unclean": UncleanElection}[args[0]]
	var asked []Election
	for _, arg := range args[1:] {
		topic, n, _ := strings.Cut(arg, "-")
		asked = append(asked, Election{topic, int32(number(s.t, n))})
	}
	outcomes, made := planElections(s.state(), kind, asked)
	var answers []string
	for _, o := range outcomes {
		answers = append(answers, fmt.Sprintf("%s-%d: %s", o.Topic, o.Partition, s.outcome(o.Err)))
	}
	return append(answers, s.perform(made)...)
}

// answer has a broker's store say what it holds; without a range it is empty.
func (s *stage) answer(args []string) []string {
	topic, p := s.partition(args[1])
	b := s.img.Broker(brokerID(args[0]))
	a := metadata.Answer{BrokerEpoch: b.Epoch, LeaderEpoch: p.LeaderEpoch, LastEpoch: record.NoEpoch}
	if len(b.Stores) > 0 {
		a.Store = b.Stores[0]
	}
	for _, arg := range args[2:] {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "start":
			a.Start = record.Offset(number(s.t, value))
		case "end":
			a.End = record.Offset(number(s.t, value))
		case "epoch":
			a.LastEpoch = record.Epoch(number(s.t, value))
		case "hw":
			a.HighWatermark = record.Offset(number(s.t, value))
		case "old": // an answer to the question before
			a.LeaderEpoch--
		case "offline":
			a.Offline = true
		case "torn":
			a.Torn = true
		}
	}
	_, n, _ := strings.Cut(args[1], "-")
	s.apply(metadata.Put(metadata.AnswerKey(topic.ID, int32(number(s.t, n)), b.ID), metadata.EncodeAnswer(&a)))
	return s.touched(args[1])
}

// touched is what the controller does when it has heard of a partition.
func (s *stage) touched(name string) []string {
	topic, _ := s.partition(name)
	_, n, _ := strings.Cut(name, "-")
	ref := metadata.PartitionRef{Topic: topic.ID, Partition: int32(number(s.t, n))}
	return s.perform(planTouched(s.state(), []metadata.PartitionRef{ref}))
}

func (s *stage) reassign(args []string) []string {
	var wanted []Reassignment
	allow := true
	for _, arg := range args {
		name, replicas, named := strings.Cut(arg, ":")
		if !named {
			allow = false
			continue
		}
		topic, n, _ := strings.Cut(name, "-")
		w := Reassignment{Topic: topic, Partition: int32(number(s.t, n)), Replicas: brokerIDs(replicas)}
		if replicas == "cancel" {
			w.Replicas = nil
		} else if replicas == "" {
			w.Replicas = []ident.BrokerID{}
		}
		wanted = append(wanted, w)
	}
	outcomes, made := planReassign(s.state(), wanted, allow)
	var answers []string
	for i, err := range outcomes {
		answers = append(answers, fmt.Sprintf("%s-%d: %s", wanted[i].Topic, wanted[i].Partition, s.outcome(err)))
	}
	return append(answers, s.perform(made)...)
}

// resize begins what Resize says, as the broker does for a document.
func (s *stage) resize(topic string, replicas int) []string {
	wanted, differ, why := Resize(s.img, s.img.Topic(topic), replicas)
	if why != "" {
		return []string{why}
	}
	answers := []string{fmt.Sprintf("%d differ", differ)}
	outcomes, made := planReassign(s.state(), wanted, true)
	for i, err := range outcomes {
		if err != nil {
			answers = append(answers, fmt.Sprintf("%s-%d: %s", wanted[i].Topic, wanted[i].Partition, s.outcome(err)))
		}
	}
	return append(answers, s.perform(made)...)
}

func (s *stage) risk(id ident.BrokerID) []string {
	risks := AtRisk(s.img, s.view, s.img.Broker(id))
	answers := []string{fmt.Sprintf("%d at risk", len(risks))}
	for _, r := range risks {
		answers = append(answers, r.String())
	}
	return answers
}

// lead is what the controller does when brokers come and go.
func (s *stage) lead() []string { return s.perform(planLeaders(s.state())) }

// perform applies a plan's changes and describes those of partitions that existed, and the losses.
func (s *stage) perform(made changes) (described []string) {
	for _, b := range batches(made.units) {
		if len(b.ops) > metadata.MaxOps || len(b.guards)+1 > metadata.MaxOps {
			s.t.Fatalf("a transaction of %d operations and %d guards", len(b.ops), len(b.guards))
		}
		for _, g := range b.guards {
			if s.keys[g.Key].Modified != g.Revision {
				s.t.Fatalf("guard of %s at %d, it is at %d", g.Key, g.Revision, s.keys[g.Key].Modified)
			}
		}
		d := s.apply(b.ops...)
		for _, c := range d.Partitions {
			if c.Old != nil && c.New != nil {
				described = append(described, describe(c.TopicPartition(), s.forget(c)))
			}
		}
		for _, l := range d.Losses {
			described = append(described, fmt.Sprintf("LOST %s-%d [%d, %d) before epoch %d (%s): %s",
				l.Topic, l.Partition, l.Start, l.End, l.LeaderEpoch, l.Kind, l.Cause))
		}
	}
	return described
}

// forget has a leader forget who is eligible beside a set that reaches the minimum, as leaders do before they show anything. One whose machine
// is down, though it is registered still, does not.
func (s *stage) forget(c metadata.PartitionChange) *metadata.Partition {
	p := c.New
	if p.Leader == ident.NoBroker || s.down[p.Leader] || len(p.ELR) == 0 || len(p.ISR) < s.state().election(s.img.TopicByID(c.TopicID), p).minISR {
		return p
	}
	next := *p
	next.Epoch++
	next.ELR = nil
	s.apply(metadata.Put(metadata.PartitionKey(c.TopicID, c.Number), metadata.EncodePartition(&next)))
	return &next
}

// apply makes the next revision.
func (s *stage) apply(ops ...metadata.Op) *metadata.Delta {
	rev := s.img.Revision() + 1
	var events []metadata.Event
	for _, op := range ops {
		if op.Kind == metadata.OpPut {
			kv := metadata.KV{Key: op.Key, Value: op.Value, Created: rev, Modified: rev}
			if old, ok := s.keys[op.Key]; ok {
				kv.Created = old.Created
			}
			s.keys[op.Key] = kv
			events = append(events, metadata.Event{KV: kv})
			continue
		}
		for key := range s.keys {
			if key == op.Key || op.Kind == metadata.OpDeletePrefix && strings.HasPrefix(key, op.Key) {
				delete(s.keys, key)
				events = append(events, metadata.Event{KV: metadata.KV{Key: key, Modified: rev}, Deleted: true})
			}
		}
	}
	img, d, err := s.img.Apply(rev, events)
	if err != nil {
		s.t.Fatal(err)
	}
	s.img = img
	return d
}

func (s *stage) partition(name string) (*metadata.Topic, *metadata.Partition) {
	topic, n, _ := strings.Cut(name, "-")
	t := s.img.Topic(topic)
	return t, t.Partition(int32(number(s.t, n)))
}

func (s *stage) keyOf(topic *metadata.Topic, name string) string {
	_, n, _ := strings.Cut(name, "-")
	return metadata.PartitionKey(topic.ID, int32(number(s.t, n)))
}

func (s *stage) show(topic string) (lines []string) {
	t := s.img.Topic(topic)
	for n, p := range t.Partitions() {
		lines = append(lines, describe(ident.TopicPartition{Topic: topic, Partition: n}, p))
	}
	if own := s.img.Config(metadata.Resource{Type: metadata.TopicResource, Name: topic}); own != nil {
		lines = append(lines, fmt.Sprint(own))
	}
	return lines
}

func describe(name ident.TopicPartition, p *metadata.Partition) string {
	members := func(list []metadata.Member) string {
		var words []string
		for _, m := range list {
			words = append(words, fmt.Sprintf("%d%s", m.Broker, strings.TrimRight(string(m.Store[:1]), "\x00")))
		}
		return strings.Join(words, ",")
	}
	line := fmt.Sprintf("%s leader %d epoch %d replicas %s isr %s", name, p.Leader, p.LeaderEpoch,
		strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Replicas), " ", ","), "[]"), members(p.ISR))
	if len(p.ELR) > 0 {
		line += " elr " + members(p.ELR)
	}
	if p.Reassigning() {
		line += fmt.Sprintf(" adding %v removing %v", p.Adding, p.Removing)
	}
	for _, r := range p.Refuges() {
		line += fmt.Sprintf(" of %d at %d", r.From, r.At)
	}
	if p.Start > 0 || p.Resume > 0 {
		line += fmt.Sprintf(" start %d resume %d ceiling %d", p.Start, p.Resume, p.Ceiling)
	}
	if p.Inquiry != metadata.NoInquiry {
		line += " asking: " + map[metadata.Inquiry]string{
			metadata.InquiryDestroyed: "destroyed", metadata.InquiryTorn: "torn", metadata.InquiryUnclean: "unclean",
			metadata.InquiryRestored: "restored",
		}[p.Inquiry]
	}
	if p.Named > 0 {
		line += fmt.Sprintf(" named %d", p.Named)
	}
	return line
}

// outcome names the reason of a refusal, and its words.
func (s *stage) outcome(err error) string {
	if err == nil {
		return "ok"
	}
	refused := reasonOf(err)
	if refused == nil {
		s.t.Fatalf("not a refusal: %v", err)
	}
	return fmt.Sprintf("(%v) %s", refused.Reason, refused.Message)
}

func number(t *testing.T, word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func brokerID(word string) ident.BrokerID {
	n, _ := strconv.Atoi(word)
	return ident.BrokerID(n)
}

func brokerIDs(words string) (ids []ident.BrokerID) {
	for word := range strings.SplitSeq(words, ",") {
		if word != "" {
			ids = append(ids, brokerID(word))
		}
	}
	return ids
}

// storeID is a store whose id begins with the letter.
func storeID(letter string) ident.StoreID {
	var id ident.StoreID
	copy(id[:], letter)
	return id
}
