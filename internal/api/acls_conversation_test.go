package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const aclsFile = "testdata/acls.kafka-4.4.txt"

// TestACLsAnswerAsKafka asks for access control lists where no authorizer is configured, in all versions, and compares each
// answer with the one that Apache Kafka 4.4.0 gave.
func TestACLsAnswerAsKafka(t *testing.T) {
	start := func() *memoryBroker { return newBroker(t, nil) }
	answersAsKafka(t, aclsFile, talkOfACLs, start)
}

func talkOfACLs(t *testing.T, asks func(kmsg.Request) kmsg.Response) string {
	k := &talker{t: t, asks: asks}
	topic, alice := "words", "User:alice"
	for version := int16(1); version <= 3; version++ {
		describe := kmsg.NewPtrDescribeACLsRequest()
		describe.ResourceType, describe.ResourceName, describe.ResourcePatternType = 1, nil, 1
		describe.Operation, describe.PermissionType = 1, 1
		k.ask("describe all", version, describe)

		k.ask("create nothing", version, kmsg.NewPtrCreateACLsRequest())
		create := kmsg.NewPtrCreateACLsRequest()
		creation := kmsg.NewCreateACLsRequestCreation()
		creation.ResourceType, creation.ResourceName, creation.ResourcePatternType = 2, topic, 3
		creation.Principal, creation.Host, creation.Operation, creation.PermissionType = alice, "*", 3, 3
		create.Creations = append(create.Creations, creation, creation)
		k.ask("create two", version, create)

		k.ask("delete nothing", version, kmsg.NewPtrDeleteACLsRequest())
		remove := kmsg.NewPtrDeleteACLsRequest()
		filter := kmsg.NewDeleteACLsRequestFilter()
		filter.ResourceType, filter.ResourceName, filter.ResourcePatternType = 2, &topic, 3
		filter.Principal, filter.Operation, filter.PermissionType = &alice, 1, 1
		remove.Filters = append(remove.Filters, filter, filter)
		k.ask("delete by two filters", version, remove)
	}
	return k.out.String()
}
