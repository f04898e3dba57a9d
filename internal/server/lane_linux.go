package server

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"barnabas/internal/wire"
)

// lane reads connections on which nothing is asked but what can wait a moment, and not often: heartbeats and commits of consumers. They have no
// goroutine and no buffer of their own, and Go's poller does not know their sockets: an epoll of the lane's does. Where much comes,
// the lane rests between two looks, so that what has come meanwhile is served together: to wake a process, its scheduler and the
// clients' processors again and again costs more than the requests. Where little comes, Go's poller waits for the epoll, by way of a
// gate that is closed while the lane rests: or each request would wake the process all the same, for nothing.
type lane struct {
	server *Server
	poll   watched // the epoll of the connections
	gate   watched // an epoll of that epoll, which Go's poller waits for
	alarm  watched // a timerfd; Go's timers come up to a millisecond late, and keep sysmon awake

	mu     sync.Mutex
	parked map[uint64]*conn // guarded by mu

	// Owned by run.
	events [laneEvents]unix.EpollEvent
	found  int
	buffer [inputBytes]byte
	seen   int   // requests in this window
	began  int64 // of the window
	busy   bool  // much came in the last window, and the gate is closed
}

const (
	// laneEvents bounds how many connections are served before others of the process have their turn.
	laneEvents = 128
	// laneRest is how long the lane rests where it is busy.
	laneRest = 4 * time.Millisecond
	// laneBusy is how many requests a second make it busy.
	laneBusy   = 1000
	laneWindow = 50 * time.Millisecond
)

// watched is a descriptor that can be used while another goroutine closes it.
type watched struct {
	file *os.File
	raw  syscall.RawConn
}

// watch takes a new descriptor, known to Go's poller where that is to wait for it.
func watch(name string, byGo bool, fd int, err error) (watched, error) {
	if err != nil {
		return watched{}, os.NewSyscallError(name, err)
	}
	if byGo {
		err = unix.SetNonblock(fd, true) // which is how os.NewFile knows
	}
	w := watched{file: os.NewFile(uintptr(fd), name)}
	if err == nil {
		w.raw, err = w.file.SyscallConn()
	}
	return w, err
}

func (w watched) close() {
	if w.file != nil {
		w.file.Close()
	}
}

// control has the descriptor of an epoll, which w is, watch another one, or no more.
func (w watched) control(operation, fd int, event *unix.EpollEvent) (err error) {
	if closed := w.raw.Control(func(epoll uintptr) { err = unix.EpollCtl(int(epoll), operation, fd, event) }); closed != nil {
		return closed
	}
	return err
}

func newLane(s *Server) (*lane, error) {
	l := &lane{server: s, parked: map[uint64]*conn{}}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	l.poll, err = watch("lane's epoll", false, fd, err)
	if err == nil {
		fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		l.gate, err = watch("lane's gate", true, fd, err)
	}
	if err == nil {
		fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
		l.alarm, err = watch("lane's alarm", true, fd, err)
	}
	if err == nil {
		err = l.setGate(unix.EPOLL_CTL_ADD)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// close ends run. Connections that are parked stay to be closed by others.
func (l *lane) close() {
	l.poll.close()
	l.gate.close()
	l.alarm.close()
}

// run ends when the lane is closed.
func (l *lane) run() {
	for l.await() {
		for i := range l.events[:l.found] {
			e := &l.events[i]
			if c := l.conn(number(e)); c != nil {
				l.serve(c, e.Events&^unix.EPOLLIN != 0)
			}
		}
		if l.turn(l.isBusy(l.found)) != nil {
			return
		}
	}
}

// await finds connections that have something to read. While the lane is busy it rests first, and may find none. False where the lane was
// closed.
func (l *lane) await() bool {
	if l.busy {
		return l.rest() && l.look() == nil
	}
	return l.gate.raw.Read(func(uintptr) bool { return l.look() != nil || l.found > 0 }) == nil
}

// look finds connections that have something to read now.
func (l *lane) look() error {
	l.found = 0
	return l.poll.raw.Control(func(fd uintptr) {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&l.events)), laneEvents, 0, 0, 0)
		if errno == 0 {
			l.found = int(n)
		}
	})
}

// turn closes the gate when the lane becomes busy, and opens it when it is no more.
func (l *lane) turn(busy bool) error {
	if busy == l.busy {
		return nil
	}
	if l.busy = busy; busy {
		return l.setGate(unix.EPOLL_CTL_DEL)
	}
	return l.setGate(unix.EPOLL_CTL_ADD)
}

// setGate has the gate tell when a connection has something to read (EPOLL_CTL_ADD), also what it has already, or tell no more (EPOLL_CTL_DEL).
func (l *lane) setGate(operation int) (err error) {
	closed := l.poll.raw.Control(func(fd uintptr) {
		err = l.gate.control(operation, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN})
	})
	if closed != nil {
		return closed
	}
	return err
}

// number is what the event of a connection carries.
func number(e *unix.EpollEvent) uint64 { return uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32 }

// eventOf is for a connection that is read whenever something comes: the epoll does not look again whether something is left.
func eventOf(number uint64) *unix.EpollEvent {
	return &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(uint32(number)), Pad: int32(uint32(number >> 32))}
}

// isBusy counts requests, and tells whether so many come that it is worth to wait for more.
func (l *lane) isBusy(requests int) bool {
	l.seen += requests
	now, busy := l.server.now(), l.busy
	if past := now - l.began; past >= int64(laneWindow) {
		busy = int64(l.seen)*int64(time.Second) >= laneBusy*past
		l.seen, l.began = 0, now
	}
	return busy
}

// rest lets requests gather; false when the lane was closed.
func (l *lane) rest() bool {
	in := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(laneRest))}
	err := l.alarm.raw.Control(func(fd uintptr) {
		syscall.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&in)), 0, 0, 0)
	})
	if err != nil {
		return false
	}
	return l.alarm.raw.Read(func(fd uintptr) bool {
		var times uint64
		_, _, errno := syscall.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&times)), unsafe.Sizeof(times))
		return errno != unix.EAGAIN
	}) == nil
}

func (l *lane) conn(number uint64) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parked[number]
}

// park takes a connection over from its goroutine, which ends; false where that can't be done, and it goes on. Everything that was asked
// has been answered.
func (l *lane) park(c *conn) bool {
	control, err := c.socket.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	// Only a descriptor of its own takes a socket away from Go's poller.
	own := -1
	if controlErr := control.Control(func(fd uintptr) { own, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); controlErr != nil || err != nil {
		return false
	}
	r := &resting{lane: l, number: c.client.Connection, local: c.socket.LocalAddr(), remote: c.socket.RemoteAddr(), fd: own}
	old := c.socket
	if !l.add(c, r) {
		unix.Close(own)
		return false
	}
	old.Close()
	return true
}

// add gives a connection its new socket, and waits for what comes.
func (l *lane) add(c *conn, r *resting) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	if err := l.poll.control(unix.EPOLL_CTL_ADD, r.fd, eventOf(r.number)); err != nil {
		return false
	}
	c.in = input{frames: c.in.frames}
	c.socket = r
	c.rests.Store(r)
	l.parked[r.number] = c
	return true
}

// drop forgets a connection.
func (l *lane) drop(number uint64) {
	l.mu.Lock()
	delete(l.parked, number)
	l.mu.Unlock()
}

// serve reads once, and handles what can be handled here. Where more may be left to read, or ends says that nothing more comes, a goroutine goes on.
func (l *lane) serve(c *conn, ends bool) {
	r := c.rests.Load()
	n, err := r.read(l.buffer[:])
	switch {
	case err == unix.EAGAIN:
		return
	case err != nil:
		c.close(err)
		return
	}
	now := c.server.now()
	c.lastActive.Store(now)
	for rest := l.buffer[:n]; len(rest) > 0; {
		frame, next := c.takePatient(rest)
		if frame == nil {
			l.wake(c, r, rest)
			return
		}
		rest = next
		x := c.enqueue(frame)
		c.server.handler.Handle(x)
		c.handled(x)
		if c.streak++; c.calm(now) {
			c.streak = 0
		}
	}
	if ends || n == len(l.buffer) || c.streak >= leastBeforePark {
		l.wake(c, r, nil)
	}
}

// takePatient takes a frame that can be handled here; nil where it is another one, not all of it has come, or there is no room for it.
func (c *conn) takePatient(b []byte) (frame *wire.Buffer, rest []byte) {
	if len(b) < sizeBytes {
		return nil, b
	}
	size := int(int32(binary.BigEndian.Uint32(b)))
	whole := b[sizeBytes:]
	if size <= 0 || size > len(whole) || !c.server.patient(whole[:size]) || !c.mayTake() || !c.server.budget.tryTake(size) {
		return nil, b
	}
	frame = wire.NewBuffer(size)
	copy(frame.Bytes, whole)
	return frame, whole[size:]
}

// wake gives a connection a goroutine again, with what was read of it.
func (l *lane) wake(c *conn, r *resting, rest []byte) {
	l.drop(r.number)
	r.mu.RLock()
	if r.fd >= 0 {
		_ = l.poll.control(unix.EPOLL_CTL_DEL, r.fd, nil) // it may be about to be closed
	}
	r.mu.RUnlock()
	c.streak, c.in.buffer = 0, make([]byte, inputBytes)
	c.in.start, c.in.end = 0, copy(c.in.buffer, rest)
	go c.resume(r)
}

// resume is the goroutine of a connection that was parked. It gets a socket that waits as others do once nobody writes to that one.
func (c *conn) resume(r *resting) {
	err := c.settle()
	if err == nil {
		err = c.unpark(r)
	}
	if err == nil {
		c.parkAfter = min(2*c.parkAfter, mostBeforePark)
		err = c.readLoop()
	}
	c.leave(err)
}

func (c *conn) unpark(r *resting) error {
	socket, err := r.wakeful()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		socket.Close()
		return errDraining
	}
	c.socket = asDirect(socket)
	c.rests.Store(nil)
	return nil
}

// resting is the socket of a connection that is parked. Whoever uses its descriptor holds mu for reading, so that it is not another file's meanwhile.
type resting struct {
	lane          *lane
	number        uint64
	local, remote net.Addr

	mu sync.RWMutex
	fd int // guarded by mu; -1 once it is closed

	// Owned by whoever has the turn to write.
	now    bool   // what can't be written now is kept
	unsent []byte // what was
}

var _ net.Conn = (*resting)(nil)

// read reads what there is; EAGAIN where that is nothing.
func (r *resting) read(b []byte) (int, error) {
	n, errno := r.move(unix.SYS_READ, b)
	switch {
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (r *resting) move(trap uintptr, b []byte) (int, syscall.Errno) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.fd < 0 {
		return 0, unix.EBADF
	}
	return raw(trap, uintptr(r.fd), b)
}

// Write implements net.Conn. It waits, or keeps what would have to.
func (r *resting) Write(b []byte) (int, error) {
	written := len(b)
	if r.unsent != nil {
		r.unsent = append(r.unsent, b...)
		if r.now {
			return written, nil
		}
		b, r.unsent = r.unsent, nil
	}
	for len(b) > 0 {
		n, errno := r.move(unix.SYS_WRITE, b[:min(len(b), rawBytes)])
		switch {
		case errno == unix.EAGAIN && r.now:
			r.unsent = append([]byte(nil), b...)
			return written, nil
		case errno == unix.EAGAIN:
			r.awaitRoom()
		case errno == unix.EBADF:
			return 0, net.ErrClosed
		case errno != 0:
			return 0, os.NewSyscallError("write", errno)
		default:
			b = b[n:]
		}
	}
	return written, nil
}

// awaitRoom waits until something can be written, or the connection is closed.
func (r *resting) awaitRoom() {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.fd < 0 {
		return
	}
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLOUT}}, -1) // the next write says what is wrong
}

// wakeful is the same socket for Go's poller; this one is closed.
func (r *resting) wakeful() (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		return nil, net.ErrClosed
	}
	file := os.NewFile(uintptr(r.fd), "") // which closes the descriptor
	r.fd = -1
	defer file.Close()
	return net.FileConn(file)
}

// Close implements net.Conn. It ends a Write that waits.
func (r *resting) Close() error {
	r.lane.drop(r.number)
	r.mu.RLock()
	if r.fd >= 0 {
		_ = unix.Shutdown(r.fd, unix.SHUT_RDWR) // it may have ended
	}
	r.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		return net.ErrClosed
	}
	err := unix.Close(r.fd)
	r.fd = -1
	return err
}

// Read implements net.Conn: nobody but the lane reads.
func (r *resting) Read([]byte) (int, error) { return 0, net.ErrClosed }

// LocalAddr implements net.Conn.
func (r *resting) LocalAddr() net.Addr { return r.local }

// RemoteAddr implements net.Conn.
func (r *resting) RemoteAddr() net.Addr { return r.remote }

// SetDeadline implements net.Conn: the sweeper closes what waits for too long.
func (r *resting) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (r *resting) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (r *resting) SetWriteDeadline(time.Time) error { return nil }
