package metadata

import (
	"iter"
	"strings"

	"barnabas/internal/ident"
)

// Contents are the keys that an Image shows, with their values. Those that live by a lease (registrations, the
// election, successors that stand by) and those that serve an election that is under way are not among them: they
// are made anew by whoever lives. What stores have said comes first: a copy that has been called torn must not be taken for a
// whole one as soon as its partition is there, for its registration says so no more. The identity of the cluster comes last.
func (img *Image) Contents() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		_ = img.yieldAnswers(yield) && img.yieldTopics(yield) && img.yieldRest(yield)
	}
}

func (img *Image) yieldAnswers(yield func(string, []byte) bool) bool {
	going := true
	img.answers.tree.Ascend(func(a *Answer) bool {
		kept := *a
		kept.BrokerEpoch = 0 // a registration's, which does not outlive the keepers: who is asked answers anew
		going = yield(a.Key, EncodeAnswer(&kept))
		return going
	})
	return going
}

func (img *Image) yieldTopics(yield func(string, []byte) bool) bool {
	going := true
	img.topics.byID.Ascend(func(e idEntry) bool {
		for n := range e.topic.parts.len() {
			if p := e.topic.parts.get(n); p != nil {
				kept := *p
				kept.Looked = 0 // revisions are the store's own
				if going = yield(PartitionKey(e.id, int32(n)), EncodePartition(&kept)); !going {
					return false
				}
			}
		}
		if e.topic.announced() {
			going = yield(TopicKey(e.id), EncodeTopic(e.topic.Name, e.topic.count))
		}
		return going
	})
	return going
}

func (img *Image) yieldRest(yield func(string, []byte) bool) bool {
	going := true
	img.configs.tree.Ascend(func(e configEntry) bool {
		going = yield(ConfigKey(e.resource), EncodeConfig(e.values))
		return going
	})
	for loss := range img.losses.all() {
		going = going && yield(loss.Key, EncodeLoss(loss))
	}
	for d := range img.Deletions() {
		going = going && yield(DeletionKey(d.ID), EncodeDeletion(d))
	}
	for name, level := range img.features {
		going = going && yield(FeatureKey(name), EncodeFeature(level))
	}
	for _, m := range img.members.sorted() {
		going = going && yield(MemberKey(m.ID), EncodeBroker(m))
	}
	if img.nextProducer > 0 {
		going = going && yield(producersKey, EncodeProducers(img.nextProducer))
	}
	if img.cluster != (Cluster{}) {
		going = going && yield(formatKey, EncodeFormat()) && yield(clusterKey, EncodeCluster(img.cluster))
	}
	return going
}

// restorable tells whether a key is of those that Contents has.
func restorable(key string) bool {
	for _, prefix := range []string{answerPrefix, topicPrefix, partitionPrefix, configPrefix, lossPrefix, featurePrefix, memberPrefix, deletionPrefix} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return key == producersKey
}

// Lasting tells whether a key is of those that an Image's Contents have: that outlive the brokers that wrote them.
func Lasting(key string) bool { return restorable(key) || key == formatKey || key == clusterKey }

// ImageOf makes an Image of keys and values, as Contents gave them, as of a revision.
func ImageOf(revision Revision, contents iter.Seq2[string, []byte]) (*Image, error) {
	var events []Event
	for key, value := range contents {
		events = append(events, Event{KV: KV{Key: key, Value: value, Modified: revision, Created: revision}})
	}
	img, _, err := NewImage().Apply(revision, events)
	return img, err
}

// serving are the brokers whose word is waited for: those that an Image shows as alive and not about to stop, or, where it
// was read from a disk and shows none, all that belong to the cluster.
func (img *Image) serving() []ident.BrokerID {
	var ids []ident.BrokerID
	for _, b := range img.Brokers() {
		if !b.Leaving {
			ids = append(ids, b.ID)
		}
	}
	if img.NumBrokers() > 0 {
		return ids
	}
	for _, b := range img.Members() {
		ids = append(ids, b.ID)
	}
	return ids
}
