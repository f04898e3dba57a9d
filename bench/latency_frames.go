package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"
)

const (
	framesWaitMs  = 5000
	framesFetched = 1 << 20
	// framesTogether bounds the records of one frame: what has become due while the frame before it was on its way goes in one
	// batch, as a client has it.
	framesTogether = 64
)

// measureLatencyFrames is measureLatency without a client: a thread sends prepared frames by the schedule and waits for each
// acknowledgement, another always has a Fetch waiting. What a client as people use it adds is the difference.
func measureLatencyFrames(rate int) func(system) (figures, error) {
	return func(s system) (figures, error) {
		if s.name() == nameLimit {
			return latencyLimit(rate)
		}
		n, err := ready(s, 1)
		if err != nil {
			return nil, err
		}
		defer n.close()
		l := &frameLatency{rate: rate, began: make(chan struct{})}
		l.warm, l.total = latencyCounts(rate)
		for records := range l.frames {
			l.frames[records] = produceFrame(loadTopic, 0, make([]byte, latencyValue), records+1)
		}
		if l.producer, err = dialBlocking(n.address()); err != nil {
			return nil, err
		}
		defer unix.Close(l.producer)
		if l.consumer, err = dialBlocking(n.address()); err != nil {
			return nil, err
		}
		defer unix.Close(l.consumer)
		g, err := startGauge(n.pid())
		if err != nil {
			return nil, err
		}
		if err := l.run(); err != nil {
			return nil, err
		}
		used, err := g.stop()
		f := l.arrived.figures()
		f["acknowledged, p50, ms"] = float64(l.acked.at(0.5).Microseconds()) / 1000
		f["acknowledged, p99, ms"] = float64(l.acked.at(0.99).Microseconds()) / 1000
		f["broker CPU-s per million"] = used.broker.Seconds() / float64(l.total) * 1e6
		return f, err
	}
}

// frameLatency is a producer and a consumer, each on a blocking socket.
type frameLatency struct {
	rate, warm, total  int
	frames             [framesTogether][]byte // of one record, of two, ...
	producer, consumer int
	first              int64         // the offset of the first record
	began              chan struct{} // closed when times is there
	times              schedule
	acked              histogram // the producer's, as failed is
	failed             error
	arrived            histogram // the consumer's
}

func (l *frameLatency) run() error {
	reply := make([]byte, readBuffer)
	before, err := l.produce(l.frames[0], reply) // and every connection is there
	if err != nil {
		return err
	}
	l.first = before + 1
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		l.times = schedule{begun: time.Now(), rate: l.rate}
		close(l.began)
		l.times.run(l.total, framesTogether, func(first, records int) {
			if l.failed != nil {
				return
			}
			_, l.failed = l.produce(l.frames[records-1], reply)
			now := time.Now()
			for record := first; record < first+records; record++ {
				if record >= l.warm {
					l.acked.add(now.Sub(l.times.due(record)))
				}
			}
			if l.failed != nil {
				_ = unix.Shutdown(l.consumer, unix.SHUT_RDWR) // it would wait for ever
			}
		})
	}()
	err = l.consume()
	<-produced
	return errors.Join(l.failed, err)
}

// produce sends the frame, and returns the offset that its first record was given.
func (l *frameLatency) produce(frame, into []byte) (int64, error) {
	if _, err := unix.Write(l.producer, frame); err != nil {
		return 0, err
	}
	body, err := readReply(l.producer, into)
	if err == nil {
		err = produceError(body, len(loadTopic))
	}
	if err != nil {
		return 0, err
	}
	const code = 2
	at := 4 + 4 + 2 + len(loadTopic) + 4 + 4 + code // as in produceError
	return int64(binary.BigEndian.Uint64(body[at:])), nil
}

func (l *frameLatency) consume() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	request := kmsg.NewPtrFetchRequest()
	request.Version, request.MaxWaitMillis, request.MinBytes, request.MaxBytes = fetchVersion, framesWaitMs, 1, framesFetched
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = framesFetched
	request.Topics = []kmsg.FetchRequestTopic{{Topic: loadTopic, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))
	into, out := make([]byte, 2*framesFetched), []byte(nil)
	<-l.began
	for next, end := l.first, l.first+int64(l.total); next < end; {
		request.Topics[0].Partitions[0].FetchOffset = next
		out = formatter.AppendRequest(out[:0], request, 1)
		if _, err := unix.Write(l.consumer, out); err != nil {
			return err
		}
		body, err := readReply(l.consumer, into)
		if err != nil {
			return err
		}
		now := time.Now()
		records, err := fetchedRecords(body)
		if err != nil {
			return err
		}
		for range records {
			if record := int(next - l.first); record >= l.warm {
				l.arrived.add(now.Sub(l.times.due(record)))
			}
			next++
		}
	}
	return nil
}

// fetchedRecords counts the records of the one partition in a Fetch reply.
func fetchedRecords(body []byte) (records int, err error) {
	var response kmsg.FetchResponse
	response.Version = fetchVersion
	if err := response.ReadFrom(body[sizeBytes:]); err != nil { // after the correlation id
		return 0, err
	}
	p := &response.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		return 0, kafkaError(p.ErrorCode)
	}
	for rest := p.RecordBatches; len(rest) > batchHeader; {
		const prefix, count = 8 + 4, 57 // offset and size; where the number of records is
		size := prefix + int(binary.BigEndian.Uint32(rest[8:]))
		if size > len(rest) {
			break // cut off where the reply was full: it comes again
		}
		records += int(binary.BigEndian.Uint32(rest[count:]))
		rest = rest[size:]
	}
	return records, nil
}

// readReply reads one frame from a blocking socket.
func readReply(fd int, into []byte) ([]byte, error) {
	for have, want := 0, sizeBytes; ; {
		n, err := unix.Read(fd, into[have:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return nil, io.ErrUnexpectedEOF
		}
		if have += n; have >= sizeBytes {
			want = sizeBytes + int(binary.BigEndian.Uint32(into))
		}
		if want > len(into) {
			return nil, fmt.Errorf("a reply of %d bytes", want)
		}
		if have >= want {
			return into[sizeBytes:want], nil
		}
	}
}
