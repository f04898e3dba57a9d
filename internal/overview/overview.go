// Package overview is what a broker tells over HTTP of the whole cluster (/cluster/status, /cluster/losses), as JSON: for what
// Kafka's protocol has no request. Brokers write it, `barnabas cluster` reads it.
package overview

import "time"

// Status is GET /cluster/status.
type Status struct {
	Cluster string `json:"cluster"`
	// Keepers says that they don't answer, where that is so: all else is what was known before.
	Keepers    string `json:"keepers,omitempty"`
	Controller int32  `json:"controller"` // -1 while there is none
	Topics     int    `json:"topics"`
	Partitions int    `json:"partitions"`
	// Of the partitions: without a leader; whose stores are being asked; with replicas out of sync; with fewer in sync
	// than min.insync.replicas; being moved.
	Offline         int `json:"offline"`
	Asking          int `json:"asking"`
	UnderReplicated int `json:"underReplicated"`
	UnderMinISR     int `json:"underMinIsr"`
	Reassigning     int `json:"reassigning"`
	// Losses counts the entries of the ledger.
	Losses  int      `json:"losses"`
	Brokers []Broker `json:"brokers"`
	// Declared is what has become of the topics that documents ask for, where the broker that answers has any.
	Declared *Declared `json:"declared,omitempty"`
}

// Declared compares KafkaTopic documents with the cluster.
type Declared struct {
	// Directory is the broker's barnabas.topics.dir.
	Directory string `json:"directory"`
	// Topics are those that documents are about, Pending those that are not as these say.
	Topics  int      `json:"topics"`
	Pending []string `json:"pending"`
	// Problems are what is wrong with documents, or can't be done, with file and line.
	Problems []string `json:"problems"`
}

// Broker is one member of the cluster.
type Broker struct {
	ID int32 `json:"id"`
	// State is up, leaving, or down.
	State   string `json:"state"`
	Rack    string `json:"rack,omitempty"`
	Address string `json:"address"`
	Stores  int    `json:"stores"`
	// Failed counts the log directories that can't be read.
	Failed int `json:"failed,omitempty"`
	// Successor says that another process waits to take its place.
	Successor bool   `json:"successor,omitempty"`
	Leads     int    `json:"leads"`
	Replicas  int    `json:"replicas"`
	Version   string `json:"version,omitempty"`
}

// Loss is an entry of GET /cluster/losses.
type Loss struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// The offsets [Start, End) may be lost.
	Start       int64     `json:"start"`
	End         int64     `json:"end"`
	Kind        string    `json:"kind"`
	LeaderEpoch int32     `json:"leaderEpoch"`
	At          time.Time `json:"at"`
	Cause       string    `json:"cause"`
}
