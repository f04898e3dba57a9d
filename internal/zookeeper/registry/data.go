package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// What Kafka 2.8 wrote into its nodes, field by field.

type brokerJSON struct {
	Protocols map[string]string `json:"listener_security_protocol_map"`
	Endpoints []string          `json:"endpoints"`
	JMXPort   int32             `json:"jmx_port"`
	Features  struct{}          `json:"features"`
	Host      *string           `json:"host"`
	Timestamp string            `json:"timestamp"`
	Port      int32             `json:"port"`
	Rack      string            `json:"rack,omitempty"`
	Version   int               `json:"version"`
}

func brokerData(b *metadata.Broker, bornMs int64) []byte {
	v := brokerJSON{
		Protocols: make(map[string]string), Endpoints: []string{}, JMXPort: -1, Port: -1, Rack: b.Rack, Version: 5,
		Timestamp: strconv.FormatInt(max(bornMs, b.StartedMs), 10),
	}
	for _, e := range b.Endpoints {
		v.Protocols[e.Listener] = e.Protocol
		v.Endpoints = append(v.Endpoints, endpoint(e))
		if e.Protocol == "PLAINTEXT" && v.Host == nil {
			v.Host, v.Port = &e.Host, e.Port // for clients of before listeners had names
		}
	}
	return encode(v)
}

func endpoint(e metadata.Endpoint) string {
	host := e.Host
	if bytes.IndexByte([]byte(host), ':') >= 0 {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s://%s:%d", e.Listener, host, e.Port)
}

func controllerData(id ident.BrokerID, atMs int64) []byte {
	return encode(struct {
		Version   int            `json:"version"`
		Broker    ident.BrokerID `json:"brokerid"`
		Timestamp string         `json:"timestamp"`
	}{1, id, strconv.FormatInt(atMs, 10)})
}

func clusterData(id ident.ClusterID) []byte {
	return encode(struct {
		Version string `json:"version"`
		ID      string `json:"id"`
	}{"1", id.String()})
}

func featureData() []byte {
	return encode(struct {
		Features struct{} `json:"features"`
		Version  int      `json:"version"`
		Status   int      `json:"status"`
	}{Version: 1, Status: 1})
}

type topicJSON struct {
	Removing   map[string][]ident.BrokerID `json:"removing_replicas"`
	Partitions map[string][]ident.BrokerID `json:"partitions"`
	TopicID    string                      `json:"topic_id,omitempty"`
	Adding     map[string][]ident.BrokerID `json:"adding_replicas"`
	Version    int                         `json:"version"`
}

func topicData(t *metadata.Topic) []byte {
	v := topicJSON{
		Removing: map[string][]ident.BrokerID{}, Partitions: make(map[string][]ident.BrokerID, t.NumPartitions()),
		Adding: map[string][]ident.BrokerID{}, TopicID: t.ID.String(), Version: 3,
	}
	for n, p := range t.Partitions() {
		name := strconv.Itoa(int(n))
		v.Partitions[name] = p.Replicas
		if len(p.Adding) > 0 {
			v.Adding[name] = p.Adding
		}
		if len(p.Removing) > 0 {
			v.Removing[name] = p.Removing
		}
	}
	return encode(v)
}

func stateData(p *metadata.Partition, controllerEpoch int32) []byte {
	v := struct {
		ControllerEpoch int32            `json:"controller_epoch"`
		Leader          ident.BrokerID   `json:"leader"`
		Version         int              `json:"version"`
		LeaderEpoch     int32            `json:"leader_epoch"`
		ISR             []ident.BrokerID `json:"isr"`
	}{controllerEpoch, p.Leader, 1, int32(p.LeaderEpoch), []ident.BrokerID{}}
	for _, m := range p.ISR {
		v.ISR = append(v.ISR, m.Broker)
	}
	return encode(v)
}

type moveJSON struct {
	Topic     string           `json:"topic"`
	Partition int32            `json:"partition"`
	Replicas  []ident.BrokerID `json:"replicas"`
}

func (p *Picture) reassignData() []byte {
	v := struct {
		Version    int        `json:"version"`
		Partitions []moveJSON `json:"partitions"`
	}{1, []moveJSON{}}
	for _, name := range p.movedInOrder() {
		if part := p.image.Partition(name); part != nil {
			v.Partitions = append(v.Partitions, moveJSON{name.Topic, name.Partition, target(part)})
		}
	}
	return encode(v)
}

func configData(values map[string]string) []byte {
	if values == nil {
		values = map[string]string{}
	}
	return encode(struct {
		Version int               `json:"version"`
		Config  map[string]string `json:"config"`
	}{1, values})
}

// shown are the settings that may be read by anyone: secrets are left out.
func shown(r metadata.Resource, values map[string]string) map[string]string {
	if r.Type != metadata.BrokerResource {
		return values
	}
	open := make(map[string]string, len(values))
	for name, value := range values {
		if !config.Secret(name) {
			open[name] = value
		}
	}
	return open
}

// defaultEntity is the name under which settings of all brokers stand.
const defaultEntity = "<default>"

func entityOf(r metadata.Resource) string {
	if r.Name == "" {
		return defaultEntity
	}
	return r.Name
}

func brokerResource(entity string) (metadata.Resource, bool) {
	if entity == defaultEntity {
		return metadata.Resource{Type: metadata.BrokerResource}, true
	}
	_, ok := number(entity)
	return metadata.Resource{Type: metadata.BrokerResource, Name: entity}, ok
}

// encode can't fail: all values are plain data.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("registry: encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
