package main

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"
)

const (
	fetchVersion  = 11 // the last without flexible fields
	fetchValue    = 1024
	storedBytes   = 1 << 30
	fetchedBytes  = 8 << 30
	fetchWarm     = 2 << 30
	fetchMaxBytes = 50 << 20 // fetch.max.bytes of Kafka's consumer
	discardBytes  = 4 << 20
)

// measureFetch reads a log from its beginning again and again, by several connections that ask for all partitions.
func measureFetch(s system) (figures, error) {
	n, err := ready(s, streamPartitions)
	if err != nil {
		return nil, err
	}
	defer n.close()
	return n.catchUp(scaled(fetchedBytes))
}

// catchUp fills a log, and reads so many bytes of it.
func (n *node) catchUp(wanted int) (figures, error) {
	load := newStream(loadTopic, fetchValue)
	if err := load.run(n.oneAddress, scaled(storedBytes)/len(load.frames[0])); err != nil {
		return nil, fmt.Errorf("fill the log: %w", err)
	}
	used, bytes, err := n.fetchAll(load, wanted)
	if err != nil {
		return nil, err
	}
	f := used.volume(bytes/float64(load.batch)*float64(load.records), bytes)
	f["resident after the load, MiB"], err = residentMiB(n.pid())
	return f, err
}

// fetchAll warms up, and measures so many bytes.
func (n *node) fetchAll(load *stream, bytes int) (spent, float64, error) {
	r := &reading{node: n, load: load, perPartition: load.sent / streamPartitions}
	if _, err := r.run(min(bytes, fetchWarm)); err != nil {
		return spent{}, 0, fmt.Errorf("warm up: %w", err)
	}
	g, err := startGauge(n.pid())
	if err != nil {
		return spent{}, 0, err
	}
	read, err := r.run(bytes)
	if err != nil {
		return spent{}, 0, err
	}
	used, err := g.stop()
	return used, float64(read), err
}

// reading fetches what a stream has stored.
type reading struct {
	node         *node
	load         *stream
	perPartition int // batches
	first        int // the batch of each partition with which reading begins
}

func (r *reading) run(bytes int) (read int, err error) {
	type outcome struct {
		read int
		err  error
	}
	done := make(chan outcome, streamConnections)
	for i := range streamConnections {
		go func() {
			read, err := r.connection(i, bytes/streamConnections)
			done <- outcome{read, err}
		}()
	}
	for range streamConnections {
		o := <-done
		read += o.read
		if o.err != nil {
			err = o.err
		}
	}
	return read, err
}

// connection asks for one batch of every partition, waits for them, and asks for the next, each connection from
// another place on.
func (r *reading) connection(number, bytes int) (read int, err error) {
	if r.node.secured() {
		return r.securedConnection(number, bytes)
	}
	fd, err := dialBlocking(r.node.address())
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	_, isLimit := r.node.system.(limit)
	d := discarder{fd: fd, kafka: !isLimit, scratch: make([]byte, discardBytes)}
	for at := number * r.perPartition / streamConnections; read < bytes; at++ {
		place := r.first + at%(r.perPartition-r.first)
		if _, err := unix.Write(fd, r.frame(place)); err != nil {
			return read, err
		}
		got, err := d.answer(len(r.load.topic))
		if err != nil {
			return read, err
		}
		if want := r.load.batch * streamPartitions; got < want {
			return read, fmt.Errorf("an answer of %d bytes, less than %d", got, want)
		}
		read += got
	}
	return read, nil
}

// frame asks for one batch of every partition.
func (r *reading) frame(place int) []byte {
	size := r.load.batch
	if _, isLimit := r.node.system.(limit); isLimit {
		return rangeFrame(int64(place*size*streamPartitions), size*streamPartitions)
	}
	request := kmsg.NewPtrFetchRequest()
	request.Version = fetchVersion
	request.MaxWaitMillis, request.MinBytes, request.MaxBytes = 500, 1, fetchMaxBytes
	request.SessionEpoch = -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = r.load.topic
	for partition := range int32(streamPartitions) {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset = partition, int64(1+place*r.load.records) // after the record that showed the leader
		p.PartitionMaxBytes = int32(size)
		topic.Partitions = append(topic.Partitions, p)
	}
	request.Topics = append(request.Topics, topic)
	return frame(request)
}

// discarder reads answers and drops what is in them without copying it out of the kernel, so that the generator is not
// the limit.
type discarder struct {
	fd      int
	kafka   bool // the answers are Fetch's
	scratch []byte
}

// answer returns the answer's size. The first partition's error is looked at.
func (d *discarder) answer(topicLen int) (int, error) {
	var head [64]byte
	have := 0
	for have < sizeBytes+sizeBytes {
		n, err := unix.Read(d.fd, head[have:8])
		if err != nil || n == 0 {
			return 0, fmt.Errorf("the connection ended: %w", err)
		}
		have += n
	}
	size := int(binary.BigEndian.Uint32(head[:])) + sizeBytes
	// throttle time, error, session, topics, name, partitions, partition, error
	at := have + 4 + 2 + 4 + 4 + 2 + topicLen + 4 + 4
	for d.kafka && have < min(at+2, size) {
		n, err := unix.Read(d.fd, head[have:min(at+2, size)])
		if err != nil || n == 0 {
			return 0, fmt.Errorf("the connection ended: %w", err)
		}
		have += n
	}
	if d.kafka && have == at+2 {
		if code := int16(binary.BigEndian.Uint16(head[at:])); code != 0 {
			return 0, kafkaError(code)
		}
	}
	for left := size - have; left > 0; {
		n, _, err := unix.Recvfrom(d.fd, d.scratch[:min(left, len(d.scratch))], unix.MSG_TRUNC)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return 0, fmt.Errorf("the connection ended with %d bytes to come: %w", left, err)
		}
		left -= n
	}
	return size, nil
}

func dialBlocking(address string) (int, error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}
