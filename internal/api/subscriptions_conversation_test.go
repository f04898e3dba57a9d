package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const subscriptionsFile = "testdata/subscriptions.kafka-4.4.txt"

// TestSubscriptionsAnswerAsKafka sets, tells, lists and removes subscriptions to clients' metrics (KIP-714), and compares each
// answer with the one that Apache Kafka 4.4.0 gave.
func TestSubscriptionsAnswerAsKafka(t *testing.T) {
	start := func() *memoryBroker { return newBroker(t, nil) }
	answersAsKafka(t, subscriptionsFile, talkOfSubscriptions, start)
}

func talkOfSubscriptions(t *testing.T, asks func(kmsg.Request) kmsg.Response) string {
	k := &talker{t: t, asks: asks}
	for version := int16(0); version <= 1; version++ {
		k.listSubscriptions(version)
		k.subscriptionValues(version)
		k.subscriptionLists(version)
	}
	for version := int16(0); version <= 2; version++ {
		k.replaceSubscription(version)
	}
	for version := int16(1); version <= 4; version++ {
		k.describeSubscriptions(version)
	}
	return k.out.String()
}

// subscribe alters one subscription and tells what it is then.
func (k *talker) subscribe(version int16, name, key string, op kmsg.IncrementalAlterConfigOp, value *string) {
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeClientMetrics, name
	resource.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Op: op, Value: value}}
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r.Resources = append(r.Resources, resource)
	shown := "null"
	if value != nil {
		shown = *value
	}
	what := fmt.Sprintf("%s %s %q", [...]string{"set", "delete", "append", "subtract"}[op], key, shown)
	k.ask(what, version, r)
	k.nowIs(name)
}

// nowIs notes what is set for a subscription, in short.
func (k *talker) nowIs(name string) {
	k.caughtUp()
	var set []string
	for _, c := range k.settingsOf(name) {
		if c.Source != kmsg.ConfigSourceDefaultConfig {
			set = append(set, fmt.Sprintf("%s=%q", c.Name, *c.Value))
		}
	}
	slices.Sort(set)
	fmt.Fprintf(&k.out, "%q is %s\n", name, strings.Join(set, " "))
}

// caughtUp waits until what was changed is told: Kafka answers before its brokers know, which learn in order, so that it is enough to
// see a later change.
func (k *talker) caughtUp() {
	value := "1000"
	if set := k.settingsOf("mark"); len(set) > 0 && *set[0].Value == value {
		value = "2000"
	}
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeClientMetrics, "mark"
	resource.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "interval.ms", Value: &value}}
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r.Resources = append(r.Resources, resource)
	r.SetVersion(1)
	k.asks(r)
	k.until("the mark is "+value, func() bool { return *k.settingsOf("mark")[0].Value == value })
}

// settingsOf are a subscription's, interval.ms first.
func (k *talker) settingsOf(name string) []kmsg.DescribeConfigsResponseResourceConfig {
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeClientMetrics, name
	r := kmsg.NewPtrDescribeConfigsRequest()
	r.Resources = append(r.Resources, resource)
	r.SetVersion(4)
	configs := k.asks(r).(*kmsg.DescribeConfigsResponse).Resources[0].Configs
	slices.SortFunc(configs, func(a, b kmsg.DescribeConfigsResponseResourceConfig) int { return strings.Compare(a.Name, b.Name) })
	return configs
}

func (k *talker) subscriptionValues(version int16) {
	set := func(name, key, value string) { k.subscribe(version, name, key, 0, &value) }
	for _, value := range []string{"99", "100", " 500 ", "3600000", "3600001", "-1", "x", "", "99999999999"} {
		set("pace", "interval.ms", value)
	}
	for _, value := range []string{
		"client_id=x", "client_software_name=Java, client_software_version=11.1.*", " client_id = x ",
		"client_instance_id=b69cc35a,client_source_address=127.0.0.1,client_source_port=[0-9]+",
		"client_id=a,client_id=b", "client_id", "client_id=", "client_id=a=b", "client_id=a=", "client_id==a", "=a", "nope=a", "Client_Id=a",
		"client_id=[", "client_id=(", "client_id=a)", "client_id=*", `client_id=\`, "client_id=(?=a)b", "client_id=(?<n>a)", "",
		"client_id=a,",
	} {
		set("choice", "match", value)
	}
	for _, value := range []string{"*", "org.apache.kafka.consumer.", "a,b", " a , b ", "a,,b", "a,a", ""} {
		set("what", "metrics", value)
	}
	set("other", "no.such", "1")
	set("", "interval.ms", "500")
	set("a/b c", "interval.ms", "500")
	k.subscribe(version, "pace", "interval.ms", 0, nil)
	for _, name := range []string{"pace", "choice", "what", "other", "a/b c"} {
		for _, key := range []string{"interval.ms", "match", "metrics", "no.such"} {
			k.subscribe(version, name, key, 1, nil)
		}
	}
	k.listSubscriptions(version)
}

// subscriptionLists appends to lists and subtracts from them.
func (k *talker) subscriptionLists(version int16) {
	for _, key := range []string{"metrics", "match", "interval.ms", "no.such"} {
		for _, value := range []string{"client_id=a", "client_id=b,client_ip=c", "client_source_port=1", "client_id=a"} {
			k.subscribe(version, "lists", key, 2, &value)
		}
		for _, value := range []string{"client_id=b", "client_id=a", "client_source_port=1"} {
			k.subscribe(version, "lists", key, 3, &value)
		}
		k.subscribe(version, "lists", key, 1, nil)
	}
	k.listSubscriptions(version)
}

// replaceSubscription uses the old AlterConfigs.
func (k *talker) replaceSubscription(version int16) {
	pace, all, bad := "1000", "*", "77"
	replace := func(what, name string, validateOnly bool, configs ...kmsg.AlterConfigsRequestResourceConfig) {
		resource := kmsg.NewAlterConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeClientMetrics, name
		resource.Configs = configs
		r := kmsg.NewPtrAlterConfigsRequest()
		r.ValidateOnly = validateOnly
		r.Resources = append(r.Resources, resource)
		k.ask("replace "+what, version, r)
		k.nowIs(name)
	}
	interval := kmsg.AlterConfigsRequestResourceConfig{Name: "interval.ms", Value: &pace}
	metrics := kmsg.AlterConfigsRequestResourceConfig{Name: "metrics", Value: &all}
	wrong := kmsg.AlterConfigsRequestResourceConfig{Name: "interval.ms", Value: &bad}
	replace("nothing, only asked", "old", true, interval, metrics)
	replace("nothing by two", "old", false, interval, metrics)
	replace("two by one", "old", false, metrics)
	replace("by what is wrong", "old", false, metrics, wrong)
	replace("of no name", "", false, metrics)
	k.listSubscriptions(1)
	replace("by nothing", "old", false)
	k.listSubscriptions(1)
}

func (k *talker) describeSubscriptions(version int16) {
	pace := "500"
	k.subscribe(1, "told", "interval.ms", 0, &pace)
	k.describeSubscription("all", version, "told")
	k.describeSubscription("one", version, "told", "interval.ms")
	k.describeSubscription("another", version, "told", "match")
	k.describeSubscription("unknown", version, "told", "no.such")
	k.describeSubscription("nobody's", version, "nobody")
	k.describeSubscription("no name's", version, "")
	k.subscribe(1, "told", "interval.ms", 1, nil)
}

func (k *talker) describeSubscription(what string, version int16, name string, keys ...string) {
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeClientMetrics, name
	resource.ConfigNames = keys
	r := kmsg.NewPtrDescribeConfigsRequest()
	r.IncludeSynonyms = true
	r.Resources = append(r.Resources, resource)
	k.ask(what, version, r)
}

func (k *talker) listSubscriptions(version int16) {
	r := kmsg.NewPtrListConfigResourcesRequest()
	r.ResourceTypes = []int8{int8(kmsg.ConfigResourceTypeClientMetrics)}
	k.ask("subscriptions", version, r)
}
