package metrics

import "strconv"

// Partition is the state of one partition on this broker, as a scrape shows it.
type Partition struct {
	Topic            string
	Partition        int32
	Leader           bool // this broker leads it
	Broker           int32
	Preferred        bool // and is the first of its replicas
	Offline          bool // its log directory has failed
	LogStartOffset   int64
	LogEndOffset     int64
	HighWatermark    int64
	LastStableOffset int64
	SizeBytes        int64
	Segments         int
	Replicas         int // the following as the leader knows them
	InSync           int
	MinInSync        int
	Reassigning      bool
}

func (p *Partition) underReplicated() bool { return p.Leader && p.InSync < p.Replicas }
func (p *Partition) underMinISR() bool     { return p.Leader && p.InSync < p.MinInSync }
func (p *Partition) atMinISR() bool        { return p.Leader && p.InSync == p.MinInSync }

// PartitionSource is whoever owns the partitions of this broker.
type PartitionSource interface {
	// AppendPartitions appends the state of all partitions to the list and returns it.
	AppendPartitions([]Partition) []Partition
}

// AddPartitions shows the partitions of source at every scrape.
func (r *Registry) AddPartitions(source PartitionSource) { r.Add(partitions{source}) }

type partitions struct{ source PartitionSource }

// Collect writes Kafka's counts of replicas, its gauges of logs and partitions, and kafka_exporter's gauges
// of topics for the partitions that this broker leads, so that over all brokers each appears once.
func (c partitions) Collect(w *Writer) {
	list := c.source.AppendPartitions(nil)
	numbers := newNumbers(list)
	for _, family := range replicaManagerFamilies {
		w.Family("kafka_server_replicamanager_"+family.name, GaugeType, family.help)
		n := int64(0)
		for i := range list {
			n += one(family.counts(&list[i]))
		}
		w.Count(n)
	}
	for _, family := range partitionFamilies {
		w.Family(family.name, GaugeType, family.help)
		for i := range list {
			p := &list[i]
			if p.Leader || !family.ofLeader {
				w.Count(family.value(p), "topic", p.Topic, "partition", numbers[p.Partition])
			}
		}
	}
}

var replicaManagerFamilies = []struct {
	name, help string
	counts     func(*Partition) bool
}{
	{"partitioncount", "Partitions on this broker.", func(*Partition) bool { return true }},
	{"leadercount", "Partitions that this broker leads.", func(p *Partition) bool { return p.Leader }},
	{"underreplicatedpartitions", "Partitions led here with a replica out of sync.", (*Partition).underReplicated},
	{"underminisrpartitioncount", "Partitions led here with fewer in-sync replicas than min.insync.replicas: acks=all is refused.", (*Partition).underMinISR},
	{"atminisrpartitioncount", "Partitions led here with as many in-sync replicas as min.insync.replicas: one more loss stops acks=all.", (*Partition).atMinISR},
	{"offlinereplicacount", "Partitions whose log directory has failed.", func(p *Partition) bool { return p.Offline }},
	{"reassigningpartitions", "Partitions led here that are moving.", func(p *Partition) bool { return p.Leader && p.Reassigning }},
}

var partitionFamilies = []struct {
	name, help string
	ofLeader   bool // shown by the leader only
	value      func(*Partition) int64
}{
	{"kafka_log_log_size", "Bytes of the partition's log.", false, func(p *Partition) int64 { return p.SizeBytes }},
	{"kafka_log_log_logstartoffset", "The first offset of the partition's log.", false, func(p *Partition) int64 { return p.LogStartOffset }},
	{"kafka_log_log_logendoffset", "The offset after the last of the partition's log.", false, func(p *Partition) int64 { return p.LogEndOffset }},
	{"kafka_log_log_numlogsegments", "Segments of the partition's log.", false, func(p *Partition) int64 { return int64(p.Segments) }},
	{"kafka_cluster_partition_replicascount", "Replicas of the partition.", true, func(p *Partition) int64 { return int64(p.Replicas) }},
	{"kafka_cluster_partition_insyncreplicascount", "Replicas in sync.", true, func(p *Partition) int64 { return int64(p.InSync) }},
	{"kafka_cluster_partition_underreplicated", "1 where a replica is out of sync.", true, func(p *Partition) int64 { return one(p.underReplicated()) }},
	{"kafka_cluster_partition_underminisr", "1 where fewer replicas than min.insync.replicas are in sync.", true, func(p *Partition) int64 { return one(p.underMinISR()) }},
	{"kafka_cluster_partition_atminisr", "1 where as many replicas as min.insync.replicas are in sync.", true, func(p *Partition) int64 { return one(p.atMinISR()) }},
	{"kafka_cluster_partition_laststableoffsetlag", "Offsets between the last stable one and the high watermark: open transactions.", true, func(p *Partition) int64 { return max(0, p.HighWatermark-p.LastStableOffset) }},
	{"kafka_topic_partition_current_offset", "The high watermark: what consumers can read up to.", true, func(p *Partition) int64 { return p.HighWatermark }},
	{"kafka_topic_partition_oldest_offset", "The first offset that consumers can read.", true, func(p *Partition) int64 { return p.LogStartOffset }},
	{"kafka_topic_partition_replicas", "Replicas of the partition.", true, func(p *Partition) int64 { return int64(p.Replicas) }},
	{"kafka_topic_partition_in_sync_replica", "Replicas in sync.", true, func(p *Partition) int64 { return int64(p.InSync) }},
	{"kafka_topic_partition_under_replicated_partition", "1 where a replica is out of sync.", true, func(p *Partition) int64 { return one(p.underReplicated()) }},
	{"kafka_topic_partition_leader", "The broker that leads the partition.", true, func(p *Partition) int64 { return int64(p.Broker) }},
	{"kafka_topic_partition_leader_is_preferred", "1 where the leader is the first of the replicas.", true, func(p *Partition) int64 { return one(p.Preferred) }},
}

// newNumbers returns the decimal form of every partition number in the list, by number, so that a scrape formats
// each once. Numbers are dense from 0.
func newNumbers(list []Partition) map[int32]string {
	numbers := map[int32]string{}
	for i := range list {
		if n := list[i].Partition; numbers[n] == "" {
			numbers[n] = strconv.Itoa(int(n))
		}
	}
	return numbers
}
