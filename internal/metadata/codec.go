package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"barnabas/internal/ident"
)

// FormatVersion is the version of the key layout that this release writes and understands.
const FormatVersion = 1

var (
	// ErrNewerFormat says that the metadata was written by a release that this one can't follow.
	ErrNewerFormat = errors.New("the metadata has a format newer than this release of Barnabas understands; run a newer release")
	// ErrCorrupt says that a value can't be what its key says.
	ErrCorrupt = errors.New("the value is corrupt")

	errKey = errors.New("the key is malformed")
)

// topicValue is the value of a topic's key.
type topicValue struct {
	Name       string `json:"name"`
	Partitions int32  `json:"partitions"`
}

type clusterValue struct {
	ID     ident.ClusterID `json:"id"`
	BornMs int64           `json:"bornMs"`
}

type electionValue struct {
	Broker ident.BrokerID `json:"broker"`
}

// EncodeFormat is the value of FormatKey.
func EncodeFormat() []byte { return []byte(strconv.Itoa(FormatVersion)) }

func checkFormat(value []byte, deleted bool) error {
	if deleted {
		return nil
	}
	version, err := strconv.Atoi(string(value))
	if err != nil || version < 1 {
		return fmt.Errorf("%w: format %q", ErrCorrupt, value)
	}
	if version > FormatVersion {
		return fmt.Errorf("%w: it has format %d, this release knows %d", ErrNewerFormat, version, FormatVersion)
	}
	return nil
}

// EncodeCluster is the value of ClusterKey.
func EncodeCluster(c Cluster) []byte { return encodeJSON(clusterValue(c)) }

func decodeCluster(value []byte) (Cluster, error) {
	var v clusterValue
	err := decodeJSON(value, &v)
	return Cluster(v), err
}

// EncodeElection is the value of ControllerKey.
func EncodeElection(broker ident.BrokerID) []byte { return encodeJSON(electionValue{broker}) }

// DecodeElection reads the ControllerKey.
func DecodeElection(kv KV) (Election, error) {
	var v electionValue
	err := decodeJSON(kv.Value, &v)
	return Election{Broker: v.Broker, Epoch: kv.Created}, err
}

// EncodeProducers is the value of ProducersKey: the next free producer id.
func EncodeProducers(next int64) []byte { return strconv.AppendInt(nil, next, 10) }

// EncodeFeature is the value of a FeatureKey: the finalized level.
func EncodeFeature(level int16) []byte { return strconv.AppendInt(nil, int64(level), 10) }

// EncodeTopic is the value of a TopicKey.
func EncodeTopic(name string, partitions int32) []byte {
	return encodeJSON(topicValue{name, partitions})
}

func decodeTopic(value []byte) (topicValue, error) {
	var v topicValue
	if err := decodeJSON(value, &v); err != nil {
		return v, err
	}
	if v.Name == "" || v.Partitions < 1 {
		return v, fmt.Errorf("%w: topic %q with %d partitions", ErrCorrupt, v.Name, v.Partitions)
	}
	return v, nil
}

// EncodeBroker is the value of a BrokerKey.
func EncodeBroker(b *Broker) []byte { return encodeJSON(b) }

// DecodeBroker reads a registration from its key.
func DecodeBroker(kv KV) (*Broker, error) {
	_, id, ok := splitTail(kv.Key)
	if !ok {
		return nil, errKey
	}
	b := new(Broker)
	if err := decodeJSON(kv.Value, b); err != nil {
		return nil, err
	}
	b.ID, b.Epoch, b.Modified = ident.BrokerID(id), kv.Created, kv.Modified
	return b, nil
}

// EncodeConfig is the value of a ConfigKey.
func EncodeConfig(values map[string]string) []byte { return encodeJSON(values) }

func decodeConfig(value []byte) (map[string]string, error) {
	var values map[string]string
	err := decodeJSON(value, &values)
	return values, err
}

// EncodeLoss is the value of a LossKey.
func EncodeLoss(l *Loss) []byte { return encodeJSON(l) }

func decodeLoss(kv KV) (*Loss, error) {
	loss := new(Loss)
	if err := decodeJSON(kv.Value, loss); err != nil {
		return nil, err
	}
	loss.Key = strings.Clone(kv.Key)
	return loss, nil
}

// encodeJSON can't fail: all values are plain data.
func encodeJSON(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("metadata: encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

func decodeJSON(value []byte, v any) error {
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return nil
}
