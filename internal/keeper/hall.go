package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"barnabas/internal/keeper/rollcall"
)

// The roll-call's wire: one question and one answer a connection, each a line of JSON.
const (
	// maxLine bounds a question and an answer, in bytes.
	maxLine = 256 << 10
	// maxAsking bounds the questions that are answered at once.
	maxAsking = 64
	// maxHeld bounds the connections that stay.
	maxHeld = 64
	// askWithin bounds a question that is answered at once; orderWithin one that the ensemble has to agree on.
	askWithin   = time.Second
	orderWithin = 10 * time.Second
)

// question is what a member says to another one.
type question struct {
	Version int `json:"v"`
	// Number is whom the caller means to speak to.
	Number int               `json:"number"`
	From   rollcall.Standing `json:"from"`
	// Admit asks the leader for admission.
	Admit bool `json:"admit,omitempty"`
	// Heir says that a newcomer waits for the place of the one that is asked: it may not have called there itself yet.
	Heir bool `json:"heir,omitempty"`
	// Charter calls on a founder to found.
	Charter *charter `json:"charter,omitempty"`
	// Seek are numbers of members that the caller does not hear, and that this one is to ask in its place.
	Seek []int `json:"seek,omitempty"`
	// Hold asks for the connection to stay for as long as the process lives.
	Hold bool `json:"hold,omitempty"`
}

// answer is what it is told.
type answer struct {
	Version int                `json:"v"`
	Self    *rollcall.Standing `json:"self,omitempty"`
	// Seen is the caller's IP address as the other end has it.
	Seen string `json:"seen,omitempty"`
	// Here is the other end's own IP address, as it has it itself.
	Here string `json:"here,omitempty"`
	// Known is the name under which the other end was told of the caller.
	Known string `json:"known,omitempty"`
	// Admission is given to a newcomer. Refused says why something is not to be had now.
	Admission *admission `json:"admission,omitempty"`
	Refused   string     `json:"refused,omitempty"`
	// Successor says that the member is still there whose place the newcomer will take: it waits for that one, or it is admitted
	// and that one leaves when it is level.
	Successor bool `json:"successor,omitempty"`
	// Found are the answers of those that were sought.
	Found []rollcall.Standing `json:"found,omitempty"`
	// local is the caller's own end of the connection.
	local string
}

var (
	// errRefused is what the other end says no to.
	errRefused = errors.New("refused")
	// errOwnVoice says that an address for another member leads to this one.
	errOwnVoice = errors.New("its address leads to this keeper itself")
	// errRealZooKeeper says that the other end is not a keeper of ours.
	errRealZooKeeper = errors.New("is a real ZooKeeper: a keeper of Barnabas can't share an ensemble with it")
)

// ask puts a question to an address.
func ask(ctx context.Context, address string, q question) (answer, error) {
	var a answer
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := exchange(conn, q, &a); err != nil {
		if ctx.Err() != nil {
			return a, ctx.Err()
		}
		return a, err
	}
	if a.Version != rollcall.Version {
		return a, fmt.Errorf("speaks version %d of the roll-call, this release speaks %d", a.Version, rollcall.Version)
	}
	if host, _, err := net.SplitHostPort(conn.LocalAddr().String()); err == nil {
		a.local = host
	}
	if a.Refused != "" {
		return a, fmt.Errorf("%w: %s", errRefused, a.Refused)
	}
	return a, nil
}

var errNoLine = errors.New("closes the connection without an answer")

// readLine reads a line of JSON, within bounds.
func readLine(from io.Reader, into any) error {
	decoder := json.NewDecoder(io.LimitReader(from, maxLine))
	err := decoder.Decode(into)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return errNoLine
	}
	return err
}

// hall answers roll-calls at a port.
type hall struct {
	net     net.Listener
	answer  func(ctx context.Context, q question, from string) answer
	asking  chan struct{}
	held    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func openHall(address string, answer func(ctx context.Context, q question, from string) answer) (*hall, error) {
	l, err := listenTCP(address, "roll-calls")
	if err != nil {
		return nil, err
	}
	h := &hall{net: l, answer: answer, asking: make(chan struct{}, maxAsking), held: make(chan struct{}, maxHeld)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

func (h *hall) serve() {
	h.running.Go(func() {
		for {
			conn, err := h.net.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				pause(h.ctx, 100*time.Millisecond)
				continue
			}
			select {
			case h.asking <- struct{}{}:
				h.running.Go(func() {
					defer conn.Close()
					stays := h.attend(conn)
					<-h.asking
					if stays {
						h.hold(conn)
					}
				})
			default:
				conn.Close()
			}
		}
	})
}

// attend answers one connection, and tells whether it is to stay.
func (h *hall) attend(conn net.Conn) (stays bool) {
	ctx, cancel := context.WithTimeout(h.ctx, orderWithin)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	_ = conn.SetReadDeadline(time.Now().Add(askWithin))
	var q question
	if readLine(conn, &q) != nil {
		return false
	}
	from, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return false
	}
	a := answer{Refused: fmt.Sprintf("version %d of the roll-call is spoken here", rollcall.Version)}
	if q.Version == rollcall.Version {
		a = h.answer(ctx, q, from)
	}
	a.Version = rollcall.Version
	a.Here, _, _ = net.SplitHostPort(conn.LocalAddr().String())
	line, err := json.Marshal(a)
	if err != nil {
		return false
	}
	_, err = conn.Write(append(line, '\n'))
	return err == nil && q.Hold && a.Refused == ""
}

// hold keeps a connection until either end is no more, or there are too many.
func (h *hall) hold(conn net.Conn) {
	select {
	case h.held <- struct{}{}:
		defer func() { <-h.held }()
	default:
		return
	}
	stop := context.AfterFunc(h.ctx, func() { conn.Close() })
	defer stop()
	_ = conn.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, conn)
}

func (h *hall) stop() {
	h.cancel()
	h.net.Close()
	h.running.Wait()
}

// listenTCP listens, and says what for if it can't.
func listenTCP(address, what string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %s, for %s", ErrAddrInUse, address, what)
	}
	if err != nil {
		return nil, fmt.Errorf("keeper: the address for %s: %w", what, err)
	}
	return l, nil
}

// brief says in a few words why somebody did not answer.
func brief(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "the name " + dns.Name + " is not known yet"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it refuses connections"
	case errors.Is(err, context.DeadlineExceeded):
		return "it does not answer"
	}
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 && strings.HasPrefix(text, "dial ") {
		return text[i+2:]
	}
	return text
}

// suspect says why a member is silent. Where somebody listens who does not speak the roll-call, it looks who that is.
func (m *Member) suspect(ctx context.Context, number int, err error) string {
	var syntax *json.SyntaxError
	if !errors.Is(err, errNoLine) && !errors.As(err, &syntax) {
		return brief(err)
	}
	for _, s := range m.options.Servers {
		if s.Number == number && RealZooKeeper(ctx, []string{join(s.Host, s.ClientPort)}) != "" {
			return errRealZooKeeper.Error()
		}
	}
	return brief(err)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
