package robustness

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bytes that are no request at all, and requests with a sound header and any bytes behind it.
func TestGarbageFrames(t *testing.T) {
	b := ask(t)
	random := chance(t)
	noise := func(n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte(random.Uint32())
		}
		return out
	}
	before := b.memory(t)
	b.resetPeak(t)
	for range 200 {
		p := dial(t, b.address)
		p.write(noise(1 + random.IntN(4096)))
		p.conn.Close()
	}
	for key := int16(-1); key < 96; key++ {
		for version := int16(0); version < 14; version += 3 {
			header := binary.BigEndian.AppendUint16(nil, uint16(key))
			header = binary.BigEndian.AppendUint16(header, uint16(version))
			header = append(header, 0, 0, 0, 1, 0, 1, 'x', 0)
			p := dial(t, b.address)
			p.write(sized(append(header, noise(random.IntN(200))...)))
			p.conn.Close()
		}
	}
	b.mustStayWithin(t, before, 96<<20)
}

// Other protocols are closed at once, and the log says which they are, of each address once in a while.
func TestOtherProtocols(t *testing.T) {
	b := ask(t)
	froms := 0
	for hello, said := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n": "not the Kafka protocol but HTTP",
		"\x16\x03\x01\x02\x00\x01\x00\x01":  "not the Kafka protocol but TLS",
		"ruok":                              "not the Kafka protocol but a ZooKeeper command",
	} {
		froms++
		p := dialFrom(t, b.address, fmt.Sprint("127.0.7.", froms))
		p.write([]byte(hello))
		p.mustBeClosed(said)
		b.await(t, "say: "+said, func() bool { return b.output.Says(said) })
	}
}

// A request that ends too early, by its own size or because its client is gone.
func TestTruncatedFrames(t *testing.T) {
	b := ask(t)
	b.mustCreateTopic(t, "truncated")
	for _, c := range []struct {
		request kmsg.Request
		version int16
	}{
		{produceRequest("truncated", plain("whole").bytes()), 9},
		{produceRequest("truncated", plain("whole").bytes()), 3},
		{fetchRequest("truncated", 0), 12},
		{fetchRequest("truncated", 0), 4},
		{metadataRequest("truncated"), 12},
		{kmsg.NewPtrListGroupsRequest(), 4},
		{kmsg.NewPtrInitProducerIDRequest(), 4},
	} {
		whole := frame(c.request, c.version, 1)[4:]
		step := max(1, len(whole)/12)
		for end := 0; end < len(whole); end += step {
			p := dial(t, b.address)
			p.write(sized(whole[:end])) // the frame is whole, what is in it isn't
			p.mustBeClosed("a truncated request")

			p = dial(t, b.address)
			p.write(sized(whole)[:4+end]) // not even the frame is
			p.conn.Close()
		}
	}
	p := dial(t, b.address)
	if got := p.fetch("truncated", 0); len(got) != 0 {
		t.Errorf("pieces of produce requests were written: %d bytes", len(got))
	}
}

// A frame's claim costs nothing: one of 2 GiB is refused, and large ones that are allowed wait for their bytes.
func TestHugeFrame(t *testing.T) {
	b := ask(t)
	before := b.memory(t)
	b.resetPeak(t)
	for _, size := range []uint32{math.MaxInt32, math.MaxInt32 - 4, 104857601, 0, 1 << 31, math.MaxUint32} {
		p := dial(t, b.address)
		p.write(binary.BigEndian.AppendUint32(nil, size))
		p.write([]byte{0, 0, 0, 0, 0, 0})
		p.mustBeClosed("a frame of that size")
	}
	const claims = 200
	for range claims {
		p := dial(t, b.address)
		p.write(binary.BigEndian.AppendUint32(nil, 100<<20))
		p.write(make([]byte, 1000))
	}
	b.mustServe(t)
	b.mustStayWithin(t, before, claims*(128<<10)+32<<20)
}

// Kafka closes the connection of a request that it does not know; but the first question, ApiVersions, is always answered.
func TestUnknownKeysAndVersions(t *testing.T) {
	b := ask(t)
	for _, c := range []struct{ key, version int16 }{
		{-1, 0}, {96, 0}, {999, 0}, {math.MaxInt16, 0}, {math.MinInt16, math.MaxInt16},
		{0, 14}, {0, 2}, {1, 3}, {1, 19}, {3, -1}, {3, 99}, {11, 10}, {4, 0}, {7, 0},
	} {
		header := binary.BigEndian.AppendUint16(nil, uint16(c.key))
		header = binary.BigEndian.AppendUint16(header, uint16(c.version))
		header = append(header, 0, 0, 0, 1, 0, 1, 'x', 0, 0, 0, 0, 0, 0, 0, 0)
		p := dial(t, b.address)
		p.write(sized(header))
		p.mustBeClosed("an unknown request")
	}
	p := dial(t, b.address)
	for _, version := range []int16{99, -1, math.MaxInt16} {
		header := binary.BigEndian.AppendUint16(nil, 18)
		header = binary.BigEndian.AppendUint16(header, uint16(version))
		header = binary.BigEndian.AppendUint32(header, uint32(p.sent))
		p.write(sized(append(header, 0xff, 0xff, 1, 2, 3)))
		request := kmsg.NewPtrApiVersionsRequest()
		answer, err := p.answer(request)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		got := answer.(*kmsg.ApiVersionsResponse)
		if got.ErrorCode != kerr.UnsupportedVersion.Code || len(got.ApiKeys) != 1 || got.ApiKeys[0].ApiKey != 18 {
			t.Errorf("version %d: code %d, %d keys", version, got.ErrorCode, len(got.ApiKeys))
		}
	}
	request := kmsg.NewPtrApiVersionsRequest()
	request.ClientSoftwareName, request.ClientSoftwareVersion = "robustness", "1"
	if got := p.call(request, 3).(*kmsg.ApiVersionsResponse); got.ErrorCode != 0 || len(got.ApiKeys) < 30 {
		t.Errorf("afterwards: code %d, %d keys", got.ErrorCode, len(got.ApiKeys))
	}
}

func metadataRequest(topic string) *kmsg.MetadataRequest {
	request := kmsg.NewPtrMetadataRequest()
	in := kmsg.NewMetadataRequestTopic()
	in.Topic = &topic
	request.Topics = append(request.Topics, in)
	return request
}

func fetchRequest(topic string, offset int64) *kmsg.FetchRequest {
	request := kmsg.NewPtrFetchRequest()
	request.ReplicaID, request.MaxBytes, request.SessionEpoch = -1, math.MaxInt32, -1
	in := kmsg.NewFetchRequestTopic()
	in.Topic = topic
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.FetchOffset, partition.PartitionMaxBytes = offset, math.MaxInt32
	in.Partitions = append(in.Partitions, partition)
	request.Topics = append(request.Topics, in)
	return request
}

// fetch returns what partition 0 has from an offset on.
func (p *peer) fetch(topic string, offset int64) []byte {
	p.t.Helper()
	response := p.call(fetchRequest(topic, offset), 12).(*kmsg.FetchResponse)
	partition := response.Topics[0].Partitions[0]
	if partition.ErrorCode != 0 {
		p.t.Fatalf("fetch %s: code %d", topic, partition.ErrorCode)
	}
	return partition.RecordBatches
}
