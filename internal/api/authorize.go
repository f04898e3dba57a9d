package api

import "barnabas/internal/metadata"

// operation is what a caller wants to do to a resource, numbered as in Kafka's AclOperation.
type operation int8

const (
	opRead            operation = 3
	opWrite           operation = 4
	opCreate          operation = 5
	opDelete          operation = 6
	opAlter           operation = 7
	opDescribe        operation = 8
	opClusterAction   operation = 9
	opDescribeConfigs operation = 10
	opAlterConfigs    operation = 11
	opIdempotentWrite operation = 12
)

// authorized says whether the caller may do it. Everyone may everything: the broker has no
// authorizer yet, which is Kafka's default too.
func (a *API) authorized(*Call, operation, metadata.ResourceType, string) bool { return true }

// bits are the operations a caller is authorized for, as Metadata and DescribeCluster tell them.
func bits(operations ...operation) int32 {
	var set int32
	for _, op := range operations {
		set |= 1 << op
	}
	return set
}

var (
	topicOperations   = bits(opRead, opWrite, opCreate, opDelete, opAlter, opDescribe, opDescribeConfigs, opAlterConfigs)
	groupOperations   = bits(opRead, opDelete, opDescribe, opDescribeConfigs, opAlterConfigs)
	clusterOperations = bits(opCreate, opAlter, opDescribe, opClusterAction, opDescribeConfigs, opAlterConfigs, opIdempotentWrite)
)
