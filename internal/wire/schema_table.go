package wire

// requestSchemas is the shape of every request a client may send: what stands in which version.
// The first number is the first flexible version (-1: none). Then fields, in order:
//
//	1 2 4 8 u   that many bytes (u: a uuid's sixteen)
//	s y         a string, bytes; nullable or not
//	[x]         an array of x
//	(...) ?(..) a struct, a nullable one; in flexible versions its tagged fields end it
//	#7x         x as the tagged field 7
//	@3 @3-5     in versions from 3, from 3 to 5; without, in all that Kafka 4.4 serves
//
// The facts are Kafka's message definitions; a test has kmsg write every version of every key and
// checks that each schema ends where the message does.
var requestSchemas = map[int16]string{
	// Produce
	0: "9; s 2 4 [(s@3-12 u@13 [(4 y)])]",
	// Fetch
	1: "12; 4@4-14 4 4 4 1 4@7 4@7 [(s@4-12 u@13 [(4 4@9 8 4@12 8@5 4 #0u@17 #18@18)])] " +
		"[(s@7-12 u@13 [4])]@7 s@11 #0s@12 #1(4 8)@15",
	// ListOffsets
	2: "6; 4 1@2 [(s [(4 4@4 8)])] 4@10",
	// Metadata
	3: "9; [(u@10 s)] 1@4 1@8-10 1@8",
	// OffsetCommit
	8: "8; s 4 s s@7 8@2-4 [(s@2-9 u@10 [(4 8 4@6 s)])]",
	// OffsetFetch
	9: "6; s@1-7 [(s [4])]@1-7 [(s s@9 4@9 [(s@8-9 u@10 [4])])]@8 1@7",
	// FindCoordinator
	10: "3; s@0-3 1@1 [s]@4",
	// JoinGroup
	11: "6; s 4 4@1 s s@5 s [(s y)] s@8",
	// Heartbeat
	12: "4; s 4 s s@3",
	// LeaveGroup
	13: "4; s s@0-2 [(s s s@5)]@3",
	// SyncGroup
	14: "4; s 4 s s@3 s@5 s@5 [(s y)]",
	// DescribeGroups
	15: "5; [s] 1@3",
	// ListGroups
	16: "3; [s]@4 [s]@5",
	// SaslHandshake
	17: "-1; s",
	// ApiVersions
	18: "3; s@3 s@3 s@5 4@5",
	// CreateTopics
	19: "5; [(s 4 2 [(4 [4])] [(s s)])] 4 1",
	// DeleteTopics
	20: "4; [(s u)]@6 [s]@1-5 4",
	// DeleteRecords
	21: "2; [(s [(4 8)])] 4",
	// InitProducerId
	22: "2; s 4 8@3 2@3 1@6 1@6",
	// OffsetForLeaderEpoch
	23: "4; 4@3 [(s [(4 4 4)])]",
	// AddPartitionsToTxn
	24: "3; [(s 8 2 1 [(s [4])])]@4 s@0-3 8@0-3 2@0-3 [(s [4])]@0-3",
	// AddOffsetsToTxn
	25: "3; s 8 2 s",
	// EndTxn
	26: "3; s 8 2 1",
	// WriteTxnMarkers
	27: "1; [(8 2 1 [(s [4])] 4 1@2)]",
	// TxnOffsetCommit
	28: "3; s s 8 2 4@3 s@3 s@3 [(s@0-5 u@6 [(4 8 4@2 s)])]",
	// DescribeAcls
	29: "2; 1 s 1 s s 1 1",
	// CreateAcls
	30: "2; [(1 s 1 s s 1 1)]",
	// DeleteAcls
	31: "2; [(1 s 1 s s 1 1)]",
	// DescribeConfigs
	32: "4; [(1 s [s])] 1 1@3",
	// AlterConfigs
	33: "2; [(1 s [(s s)])] 1",
	// AlterReplicaLogDirs
	34: "2; [(s [(s [4])])]",
	// DescribeLogDirs
	35: "2; [(s [4])]",
	// SaslAuthenticate
	36: "2; y",
	// CreatePartitions
	37: "2; [(s 4 [([4])])] 4 1",
	// DeleteGroups
	42: "2; [s]",
	// ElectLeaders
	43: "2; 1@1 [(s [4])] 4",
	// IncrementalAlterConfigs
	44: "1; [(1 s [(s 1 s)])] 1",
	// AlterPartitionReassignments
	45: "0; 4 1@1 [(s [(4 [4])])]",
	// ListPartitionReassignments
	46: "0; 4 [(s [4])]",
	// OffsetDelete
	47: "-1; s [(s [(4)])]",
	// DescribeClientQuotas
	48: "1; [(s 1 s)] 1",
	// AlterClientQuotas
	49: "1; [([(s s)] [(s 8 1)])] 1",
	// DescribeUserScramCredentials
	50: "0; [(s)]",
	// AlterUserScramCredentials
	51: "0; [(s 1)] [(s 1 4 y y)]",
	// DescribeQuorum
	55: "0; [(s [(4)])]",
	// UpdateFeatures
	57: "0; 4 [(s 2 1@0-0 1@1)] 1@1",
	// Envelope
	58: "0; y y y",
	// DescribeCluster
	60: "0; 1 1@1 1@2",
	// DescribeProducers
	61: "0; [(s [4])]",
	// UnregisterBroker
	64: "0; 4",
	// DescribeTransactions
	65: "0; [s]",
	// ListTransactions
	66: "0; [s] [8] 8@1 s@2",
	// ConsumerGroupHeartbeat
	68: "0; s s 4 s s 4 [s] s@1 s [(u [4])]",
	// ConsumerGroupDescribe
	69: "0; [s] 1",
	// ListConfigResources
	74: "0; [1]@1",
	// DescribeTopicPartitions
	75: "0; [(s)] 4 ?(s 4)",
	// ShareGroupHeartbeat
	76: "0; s s 4 s [s]",
	// ShareGroupDescribe
	77: "0; [s] 1",
	// ShareFetch
	78: "0; s s 4 4 4 4 4 4 1@2 1@2 [(u [(4 4@1-0 [(8 8 [1])])])] [(u [4])]",
	// ShareAcknowledge
	79: "0; s s 4 1@2 [(u [(4 [(8 8 [1])])])]",
	// DescribeShareGroupOffsets
	90: "0; [(s [(s [4])])]",
	// AlterShareGroupOffsets
	91: "0; s [(s [(4 8)])]",
	// DeleteShareGroupOffsets
	92: "0; s [(s)]",
}
