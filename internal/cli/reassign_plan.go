package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// anyDirectory leaves the log directory to the broker.
const anyDirectory = "any"

// assignment are replicas by partition.
type assignment map[partitionName][]int32

// String is the partition as Kafka prints it.
func (n partitionName) String() string { return fmt.Sprintf("%s-%d", n.topic, n.partition) }

func (a assignment) names() []partitionName    { return namesOf(a) }
func (m reassignments) names() []partitionName { return namesOf(m) }

func (a assignment) list() string {
	words := make([]string, 0, len(a))
	for _, name := range a.names() {
		words = append(words, name.String())
	}
	return strings.Join(words, ",")
}

// json is an assignment as --execute reads it, with the directories that are known.
func (a assignment) json(dirs map[replicaName]string) string {
	type entry struct {
		Topic     string   `json:"topic"`
		Partition int32    `json:"partition"`
		Replicas  []int32  `json:"replicas"`
		LogDirs   []string `json:"log_dirs"`
	}
	file := struct {
		Version    int     `json:"version"`
		Partitions []entry `json:"partitions"`
	}{Version: 1, Partitions: []entry{}}
	for _, name := range a.names() {
		e := entry{name.topic, name.partition, a[name], make([]string, len(a[name]))}
		for i, id := range e.Replicas {
			e.LogDirs[i] = cmp.Or(dirs[replicaName{name, id}], anyDirectory)
		}
		file.Partitions = append(file.Partitions, e)
	}
	text, err := json.Marshal(file)
	if err != nil {
		panic(err) // plain data
	}
	return string(text)
}

// replicaName is one copy of a partition.
type replicaName struct {
	partitionName
	broker int32
}

func (r replicaName) String() string { return fmt.Sprintf("%s-%d", r.partitionName, r.broker) }

// movePlan is the file of --reassignment-json-file.
type movePlan struct {
	replicas    assignment
	directories map[replicaName]string
	twice       []string // partitions named more than once
}

func (p *movePlan) names() []partitionName { return p.replicas.names() }
func (p *movePlan) list() string           { return p.replicas.list() }

func (p *movePlan) topics() []string {
	var topics []string
	for _, name := range p.names() {
		if !slices.Contains(topics, name.topic) {
			topics = append(topics, name.topic)
		}
	}
	return topics
}

func readMovePlan(path string) (*movePlan, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseMovePlan(data)
}

func parseMovePlan(data []byte) (*movePlan, error) {
	var file struct {
		Version    *int `json:"version"`
		Partitions []struct {
			Topic     *string  `json:"topic"`
			Partition *int32   `json:"partition"`
			Replicas  []int32  `json:"replicas"`
			LogDirs   []string `json:"log_dirs"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, sayf("The input string is not a valid JSON: %w", err)
	}
	if file.Version != nil && *file.Version != 1 {
		return nil, sayf("Not supported version field value %d", *file.Version)
	}
	plan := &movePlan{replicas: assignment{}, directories: map[replicaName]string{}}
	for _, p := range file.Partitions {
		if p.Topic == nil || p.Partition == nil || p.Replicas == nil {
			return nil, sayf("Every partition needs a topic, a partition and replicas")
		}
		name := partitionName{*p.Topic, *p.Partition}
		if p.LogDirs != nil && len(p.LogDirs) != len(p.Replicas) {
			return nil, sayf("Size of replicas list [%s] is different from size of log dirs list [%s] for partition %s",
				strings.Join(words(p.Replicas), ", "), strings.Join(p.LogDirs, ", "), name)
		}
		if _, seen := plan.replicas[name]; seen {
			plan.twice = append(plan.twice, name.String())
		}
		plan.replicas[name] = p.Replicas
		for i, dir := range p.LogDirs {
			if dir != anyDirectory {
				plan.directories[replicaName{name, p.Replicas[i]}] = dir
			}
		}
	}
	return plan, nil
}

// check is for a plan that is to be executed.
func (p *movePlan) check() error {
	if len(p.replicas) == 0 {
		return sayf("Partition reassignment list cannot be empty")
	}
	var twice []string
	for _, name := range p.names() {
		if len(p.replicas[name]) == 0 {
			return sayf("Partition replica list cannot be empty")
		}
		if ids := duplicates(p.replicas[name]); len(ids) > 0 {
			twice = append(twice, fmt.Sprintf("%s contains multiple entries for %s", name, commas(ids)))
		}
	}
	if len(p.twice) > 0 {
		return sayf("Partition reassignment contains duplicate topic partitions: %s", strings.Join(p.twice, ","))
	}
	if len(twice) > 0 {
		return sayf("Partition replica lists may not contain duplicate entries: %s", strings.Join(twice, ". "))
	}
	return nil
}

func readTopicsToMove(path string) ([]string, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Version *int `json:"version"`
		Topics  []struct {
			Topic *string `json:"topic"`
		} `json:"topics"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, sayf("The input string is not a valid JSON: %w", err)
	}
	if file.Version != nil && *file.Version != 1 {
		return nil, sayf("Not supported version field value %d", *file.Version)
	}
	var topics []string
	for _, t := range file.Topics {
		if t.Topic == nil {
			return nil, sayf("Every entry of topics needs a topic")
		}
		topics = append(topics, *t.Topic)
	}
	return topics, nil
}

func parseBrokers(list string) ([]int32, error) {
	var ids []int32
	for word := range strings.SplitSeq(list, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(word), 10, 32)
		if err != nil {
			return nil, sayf("%q in the list of brokers is no broker id", word)
		}
		ids = append(ids, int32(id))
	}
	if twice := duplicates(ids); len(twice) > 0 {
		return nil, sayf("Broker list contains duplicate entries: [%s]", strings.Join(words(twice), ", "))
	}
	return ids, nil
}

// rackedBroker is a broker to propose replicas on.
type rackedBroker struct {
	id   int32
	rack string
}

// propose spreads each topic's partitions over brokers: racks in turn, and the brokers of a rack in turn, so that leaders
// and replicas are even and the replicas of a partition stand on as many racks as there are. It begins at random,
// as Kafka's proposal does.
func propose(current assignment, brokers []rackedBroker) (assignment, error) {
	proposed := assignment{}
	topics := map[string][]partitionName{}
	for _, name := range current.names() {
		topics[name.topic] = append(topics[name.topic], name)
	}
	ring := interleave(brokers)
	for _, names := range topics {
		replicas := len(current[names[0]])
		if replicas > len(ring) {
			return nil, sayf("Replication factor: %d larger than available brokers: %d", replicas, len(ring))
		}
		first, shift := rand.IntN(len(ring)), rand.IntN(len(ring))
		for i, name := range names {
			if i > 0 && i%len(ring) == 0 {
				shift++
			}
			proposed[name] = spreadOver(ring, first+i, shift, replicas)
		}
	}
	return proposed, nil
}

// spreadOver chooses the replicas of one partition: the leader by its place in the ring, the others from there on, those on
// racks that are not taken yet before the rest.
func spreadOver(ring []rackedBroker, first, shift, replicas int) []int32 {
	leader := ring[first%len(ring)]
	chosen, racks := []int32{leader.id}, map[string]bool{leader.rack: true}
	for _, anyRack := range []bool{false, true} {
		for step := range len(ring) - 1 {
			b := ring[(first+1+(shift+step)%(len(ring)-1))%len(ring)]
			fresh := b.rack == "" || !racks[b.rack] || anyRack
			if len(chosen) < replicas && fresh && !slices.Contains(chosen, b.id) {
				chosen, racks[b.rack] = append(chosen, b.id), true
			}
		}
	}
	return chosen
}

// interleave orders brokers so that neighbours stand on different racks.
func interleave(brokers []rackedBroker) []rackedBroker {
	byRack := map[string][]rackedBroker{}
	var racks []string
	slices.SortFunc(brokers, func(a, b rackedBroker) int { return int(a.id - b.id) })
	for _, b := range brokers {
		if byRack[b.rack] == nil {
			racks = append(racks, b.rack)
		}
		byRack[b.rack] = append(byRack[b.rack], b)
	}
	slices.Sort(racks)
	var ring []rackedBroker
	for i := 0; len(ring) < len(brokers); i++ {
		for _, rack := range racks {
			if i < len(byRack[rack]) {
				ring = append(ring, byRack[rack][i])
			}
		}
	}
	return ring
}

func duplicates[T comparable](list []T) (twice []T) {
	for i, v := range list {
		if slices.Contains(list[:i], v) && !slices.Contains(twice, v) {
			twice = append(twice, v)
		}
	}
	return twice
}

func words(ids []int32) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.Itoa(int(id))
	}
	return out
}

func commas(ids []int32) string { return strings.Join(words(ids), ",") }
