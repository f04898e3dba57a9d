package api

import (
	"fmt"
	"reflect"
	"testing"

	"barnabas/internal/ident"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Java's admin client asks for topics by their ids with a name that is empty and not null. An id counts, whatever the
// name says, and then no topic is looked for by name or made (as in Kafka); before version 12 it is refused.
func TestMetadataByIDGoesBeforeNames(t *testing.T) {
	b := newBroker(t, nil)
	id := b.createTopic(t, "orders", 1, nil)
	unknown := ident.NewTopicID()
	request := func(topics ...kmsg.MetadataRequestTopic) *kmsg.MetadataRequest {
		r := kmsg.NewPtrMetadataRequest()
		r.AllowAutoTopicCreation = true
		r.Topics = topics
		return r
	}
	named := func(id ident.TopicID, name string) kmsg.MetadataRequestTopic {
		topic := kmsg.NewMetadataRequestTopic()
		topic.TopicID, topic.Topic = id, &name
		return topic
	}
	null := kmsg.NewMetadataRequestTopic()
	for _, c := range []struct {
		what    string
		version int16
		request *kmsg.MetadataRequest
		want    []string
	}{
		{"ids with empty names", 12, request(named(id, ""), named(unknown, "")), []string{"orders 0 true", "- 100 true"}},
		{"an id and a name", 13, request(named(id, "other"), named(ident.TopicID{}, "fresh")), []string{"orders 0 true"}},
		{"an id too early", 11, request(named(id, "orders")), []string{"orders 42 true"}},
		{"no name too early", 10, request(null), []string{" 42 false"}},
	} {
		var got []string
		for _, topic := range ask[*kmsg.MetadataResponse](t, b, c.version, c.request).Topics {
			name := "-"
			if topic.Topic != nil {
				name = *topic.Topic
			}
			got = append(got, fmt.Sprint(name, " ", topic.ErrorCode, " ", topic.TopicID != [16]byte{}))
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
	if b.feed.Current().Topic("fresh") != nil || b.feed.Current().Topic("other") != nil {
		t.Error("a topic was made for a name beside an id")
	}
}
