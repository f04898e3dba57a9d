package robustness

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Codecs in a batch's attributes.
const (
	gzipCodec   = 1
	snappyCodec = 2
	lz4Codec    = 3
	zstdCodec   = 4
)

// A bomb's records hold this much each.
const bombRecord = 16 << 20

// expansionMemory is what batches that expand may cost: the 48 MiB of one large record, which storage lets one batch hold at a time,
// and twice as much that waits for the collector.
const expansionMemory = 48 << 20 * 3

// A batch that would expand to gigabytes is refused where the broker has to look inside, by each codec, and costs a
// bounded amount of memory; where it does not look inside, the batch is taken as it is.
func TestBombs(t *testing.T) {
	b := start(t, "log.record.validation=strict", "message.max.bytes=16777216")
	b.mustCreateTopic(t, "strict")
	b.mustCreateTopic(t, "recompressed", "compression.type", "gzip")
	b.mustCreateTopic(t, "compacted", "cleanup.policy", "compact")
	b.mustServe(t)
	bombs := map[string]batch{
		"gzip, 2 GiB in 128 records":  bomb(gzipCodec, gzipPiece, 128),
		"zstd, 64 GiB in 4096":        bomb(zstdCodec, zstdPiece, 4096),
		"lz4, 512 MiB in 32":          bomb(lz4Codec, nil, 32),
		"gzip, one record of 2 GiB":   giant(gzipCodec, gzipPiece),
		"zstd, one record of 2 GiB":   giant(zstdCodec, zstdPiece),
		"zstd, a window of 2 GiB":     {codec: zstdCodec, producer: -1, count: 1, payload: []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0}},
		"snappy that claims 4 GiB":    {codec: snappyCodec, producer: -1, count: 1, payload: []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x'}},
		"snappy chunk that claims it": {codec: snappyCodec, producer: -1, count: 1, payload: xerialClaim()},
	}
	before := b.memory(t)
	b.resetPeak(t)
	for name, bomb := range bombs {
		raw := bomb.bytes()
		for _, topic := range []string{"strict", "recompressed", "compacted"} {
			p := dial(t, b.address)
			if got := p.producePartition(topic, raw); got.ErrorCode != kerr.InvalidRecord.Code || got.BaseOffset != -1 {
				t.Errorf("%s to %s (%d bytes): code %d, offset %d", name, topic, len(raw), got.ErrorCode, got.BaseOffset)
			}
		}
	}
	b.mustStayWithin(t, before, expansionMemory)
	b.mustServe(t)
}

// Where nothing has to look inside, a bomb is bytes like any others: for the log, a restart, and whoever reads.
func TestBombIsNotExpanded(t *testing.T) {
	b := ask(t)
	b.mustCreateTopic(t, "bombs", "max.message.bytes", "4194304")
	p := dial(t, b.address)
	raw := bomb(gzipCodec, gzipPiece, 128).bytes()
	before := b.memory(t)
	b.resetPeak(t)
	for i := range int64(8) {
		if got := p.producePartition("bombs", raw); got.ErrorCode != 0 || got.BaseOffset != 128*i {
			t.Fatalf("bomb %d: code %d, offset %d", i, got.ErrorCode, got.BaseOffset)
		}
	}
	if got := p.fetch("bombs", 128*3); !bytes.Equal(got[crcFrom:len(raw)], raw[crcFrom:]) {
		t.Errorf("fetched %d bytes that differ from what was sent", len(got))
	}
	b.mustStayWithin(t, before, 64<<20)
}

// bomb holds records of zeroes. Pieces of a stream that some codecs may join are compressed once.
func bomb(codec int16, compress func([]byte) []byte, records int32) batch {
	out := batch{codec: codec, producer: -1, epoch: -1, sequence: -1, count: records}
	zeroes := make([]byte, bombRecord)
	if compress == nil {
		out.payload = lz4Bomb(zeroes, records)
		return out
	}
	body := compress(zeroes)
	for i := range records {
		head, tail := recordAround(i, []byte("key"), bombRecord)
		out.payload = append(append(append(out.payload, compress(head)...), body...), compress(tail)...)
	}
	return out
}

// giant is one record that holds 2 GiB less one byte.
func giant(codec int16, compress func([]byte) []byte) batch {
	const size = 1<<31 - 64
	head, _ := recordAround(0, []byte("key"), size)
	out := batch{codec: codec, producer: -1, epoch: -1, sequence: -1, count: 1, payload: compress(head)}
	body := compress(make([]byte, bombRecord))
	for range size / bombRecord {
		out.payload = append(out.payload, body...)
	}
	return out
}

func gzipPiece(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

var zstdEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))

func zstdPiece(b []byte) []byte { return zstdEncoder.EncodeAll(b, nil) }

func lz4Bomb(zeroes []byte, records int32) []byte {
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	w.Apply(lz4.BlockSizeOption(lz4.Block64Kb))
	for i := range records {
		head, tail := recordAround(i, []byte("key"), bombRecord)
		io.Copy(w, io.MultiReader(bytes.NewReader(head), bytes.NewReader(zeroes), bytes.NewReader(tail)))
	}
	w.Close()
	return out.Bytes()
}

// xerialClaim is a stream in the framing of snappy-java with one chunk, which says that it holds 4 GiB.
func xerialClaim() []byte {
	out := append([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}, 0, 0, 0, 1, 0, 0, 0, 1)
	chunk := []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x'}
	return append(binary.BigEndian.AppendUint32(out, uint32(len(chunk))), chunk...)
}

// Batches that are as large as they may be, many at once, that have to be compressed anew.
func TestLargeBatchesAtOnce(t *testing.T) {
	b := start(t, "message.max.bytes=16777216")
	b.mustCreateTopic(t, "recompressed", "compression.type", "lz4")
	raw := bomb(gzipCodec, gzipPiece, 6).bytes()
	before := b.memory(t)
	b.resetPeak(t)
	var all sync.WaitGroup
	for range 8 {
		p := dial(t, b.address)
		all.Go(func() {
			if got := p.producePartition("recompressed", raw); got.ErrorCode != 0 {
				t.Errorf("code %d", got.ErrorCode)
			}
		})
	}
	all.Wait()
	b.mustStayWithin(t, before, expansionMemory)
}

// Who looks for a time in a batch that can't be expanded is told so, and the partition serves on.
func TestSearchByTimeInABomb(t *testing.T) {
	b := ask(t)
	b.mustCreateTopic(t, "searched")
	p := dial(t, b.address)
	if got := p.producePartition("searched", giant(zstdCodec, zstdPiece).bytes()); got.ErrorCode != 0 {
		t.Fatalf("produce: code %d", got.ErrorCode)
	}
	before := b.memory(t)
	b.resetPeak(t)
	if code := p.offsetAt("searched", now).ErrorCode; code != kerr.CorruptMessage.Code {
		t.Errorf("search: code %d", code)
	}
	b.mustStayWithin(t, before, 96<<20)
	if got := p.producePartition("searched", plain("after").bytes()); got.ErrorCode != 0 || got.BaseOffset != 1 {
		t.Errorf("afterwards: code %d, offset %d", got.ErrorCode, got.BaseOffset)
	}
}
