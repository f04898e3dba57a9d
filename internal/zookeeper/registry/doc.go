// Package registry is the picture of a cluster in the layout in which Kafka kept itself in ZooKeeper: /brokers/ids,
// /brokers/topics, /controller, /config and the rest, as Kafka 2.8 wrote them.
//
// A Picture is computed from the cluster's metadata, revision by revision, and holds nothing of its own but when
// things came and went. Its nodes' zxids are those of the revisions in which the keys behind them were written, so every
// keeper shows the same. What old tools write into it, Translate turns into a request of Kafka's protocol for the
// controller. All of it is pure: who watches, who asks the controller and who waits is the zookeeper package's affair.
package registry
