package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"barnabas/internal/zookeeper/jute"
)

// client is a session that has several requests under way.
type client struct {
	net net.Conn
	in  *bufio.Reader
	out []byte
	xid int32
}

func connect(address string) (*client, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &client{net: nc, in: bufio.NewReaderSize(nc, 64<<10)}
	frame, start := jute.Framed(nil)
	hello := jute.ConnectRequest{TimeoutMs: 40000, Password: make([]byte, 16), HasReadOnly: true}
	if _, err = nc.Write(jute.End(hello.Append(frame), start)); err == nil {
		_, err = c.receive()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) receive() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(c.in, length[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(c.in, frame)
	return frame, err
}

func (c *client) append(req *jute.Request) {
	c.xid++
	var start int
	c.out, start = jute.Framed(c.out)
	c.out = req.Append(jute.AppendInt(jute.AppendInt(c.out, c.xid), int32(req.Op)))
	c.out = jute.End(c.out, start)
}

func (c *client) flush() error {
	_, err := c.net.Write(c.out)
	c.out = c.out[:0]
	return err
}

// answer reads the next answer, past events of watches.
func (c *client) answer() error {
	for {
		frame, err := c.receive()
		if err != nil {
			return err
		}
		r := jute.NewReader(frame)
		xid, _, code := r.Int(), r.Long(), jute.Code(r.Int())
		if xid == jute.XidNotification {
			continue
		}
		if code != jute.OK {
			return fmt.Errorf("answered %v", code)
		}
		return nil
	}
}

func (c *client) once(req jute.Request) error {
	c.append(&req)
	if err := c.flush(); err != nil {
		return err
	}
	return c.answer()
}

// repeat keeps so many of one request under way for a time, and counts the answers.
func (c *client) repeat(req jute.Request, window int, period time.Duration) (int, error) {
	for range window {
		c.append(&req)
	}
	if err := c.flush(); err != nil {
		return 0, err
	}
	deadline := time.Now().Add(period)
	done, under := 0, window
	for under > 0 {
		if err := c.answer(); err != nil {
			return done, err
		}
		done++
		if under--; time.Now().After(deadline) {
			continue
		}
		c.append(&req)
		under++
		if c.in.Buffered() == 0 {
			if err := c.flush(); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// ticksPerSecond is Linux's USER_HZ.
const ticksPerSecond = 100

// processorTime is what a process has used, 0 if that is not known.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}
