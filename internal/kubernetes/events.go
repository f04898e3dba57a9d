package kubernetes

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is an Event's type.
type Kind string

// The types of Events.
const (
	Normal  Kind = "Normal"
	Warning Kind = "Warning"
)

// KindOf is the type of what is a warning, or is not.
func KindOf(warning bool) Kind {
	if warning {
		return Warning
	}
	return Normal
}

const (
	// maxQueued bounds the Events that wait to be written; one more is dropped, and counted.
	maxQueued = 64
	// Events are written at most burstEvents at once, and one each eventEvery after that.
	burstEvents = 20
	eventEvery  = 10 * time.Second
	// sameWithin is for how long the same thing said again counts up the Event that is there, maxRemembered how many are known.
	sameWithin    = 10 * time.Minute
	maxRemembered = 64
	// maxMessage is the API's bound of an Event's text, in bytes.
	maxMessage   = 1024
	eventTimeout = 10 * time.Second
)

// Recorder writes Events about this pod, for `kubectl get events` and `kubectl describe pod`. Whoever says something never waits: what
// comes faster than may be written is dropped. Where the service account may not write Events that is said once, and then
// the Recorder is silent.
type Recorder struct {
	client *Client
	pod    Pod
	logger *slog.Logger
	now    func() time.Time

	queue   chan saying
	dropped atomic.Int64
	refused atomic.Bool
	stop    chan struct{}
	cancel  context.CancelFunc
	done    sync.WaitGroup
	number  int64 // of the last event's name; the goroutine's

	recent map[saying]*written // the goroutine's
	rate   allowance           // the goroutine's
}

type saying struct {
	kind            Kind
	reason, message string
}

// written is an Event that is there.
type written struct {
	name  string
	count int
	last  time.Time
}

// allowance is a bucket of tokens.
type allowance struct {
	tokens float64
	at     time.Time
}

// take reports whether one more may be written now.
func (a *allowance) take(now time.Time) bool {
	if a.at.IsZero() {
		a.tokens = burstEvents
	} else {
		a.tokens = min(burstEvents, a.tokens+now.Sub(a.at).Seconds()/eventEvery.Seconds())
	}
	a.at = now
	if a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// NewVoice is a Recorder for the pod that this process is in; nil where that is no pod, or has no service account.
func NewVoice(environment func(string) string, account string, logger *slog.Logger) *Recorder {
	pod, inside := Here(environment, account)
	if !inside || pod.Namespace == "" {
		return nil
	}
	client, err := NewClient(environment, account)
	if err != nil {
		logger.Debug("no Kubernetes Events are written", "why", err)
		return nil
	}
	return NewRecorder(client, pod, logger)
}

// NewRecorder begins to write Events about a pod.
func NewRecorder(client *Client, pod Pod, logger *slog.Logger) *Recorder {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Recorder{
		client: client, pod: pod, logger: logger, now: time.Now, cancel: cancel,
		stop: make(chan struct{}), queue: make(chan saying, maxQueued), recent: map[saying]*written{},
	}
	r.done.Go(func() { r.run(ctx) })
	return r
}

// Say queues an Event: its reason is one word in CamelCase. It never blocks, and on a nil Recorder it does nothing.
func (r *Recorder) Say(kind Kind, reason, message string) {
	if r == nil || r.refused.Load() {
		return
	}
	select {
	case r.queue <- saying{kind, reason, message[:min(len(message), maxMessage)]}:
	default:
		r.dropped.Add(1)
	}
}

// Dropped is how many Events came faster than they may be written.
func (r *Recorder) Dropped() int64 {
	if r == nil {
		return 0
	}
	return r.dropped.Load()
}

// Stop ends the Recorder. What is queued is still written, for at most that long.
func (r *Recorder) Stop(within time.Duration) {
	if r == nil {
		return
	}
	close(r.stop)
	timer := time.AfterFunc(within, r.cancel)
	r.done.Wait()
	timer.Stop()
	r.cancel()
	r.client.Close()
}

func (r *Recorder) run(ctx context.Context) {
	for {
		select {
		case s := <-r.queue:
			r.handle(ctx, s)
			continue
		case <-r.stop:
		}
		for {
			select {
			case s := <-r.queue:
				r.handle(ctx, s)
				continue
			default:
			}
			return
		}
	}
}

func (r *Recorder) handle(ctx context.Context, s saying) {
	switch {
	case ctx.Err() != nil || r.refused.Load():
	case !r.rate.take(r.now()):
		r.dropped.Add(1)
	default:
		r.write(ctx, s)
	}
}

func (r *Recorder) write(ctx context.Context, s saying) {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	err := r.again(ctx, s)
	if err == nil {
		return
	}
	if Refused(err) {
		r.refused.Store(true)
		r.logger.Info("Kubernetes Events are not written, for the service account may not: "+
			"a Role with create and patch of events lets it, and barnabas.kubernetes.events=false keeps it from being tried", "why", err)
		return
	}
	r.logger.Debug("an Event could not be written", "reason", s.reason, "error", err)
}

// again counts an Event up that is there, and else writes a new one.
func (r *Recorder) again(ctx context.Context, s saying) error {
	now := r.now()
	if known := r.recent[s]; known != nil && now.Sub(known.last) < sameWithin {
		body := map[string]any{"count": known.count + 1, "lastTimestamp": stamp(now)}
		err := r.client.do(ctx, http.MethodPatch, r.path()+"/"+known.name, "application/merge-patch+json", body, nil)
		if err == nil {
			known.count, known.last = known.count+1, now
			return nil
		}
		if !Missing(err) { // the API server keeps Events for an hour
			return err
		}
	}
	r.number = max(r.number+1, now.UnixNano())
	name := r.pod.Name + "." + strconv.FormatInt(r.number, 16)
	if err := r.client.do(ctx, http.MethodPost, r.path(), "application/json", r.event(name, s, now), nil); err != nil {
		return err
	}
	r.remember(s, &written{name, 1, now})
	return nil
}

func (r *Recorder) remember(s saying, w *written) {
	if len(r.recent) >= maxRemembered {
		clear(r.recent)
	}
	r.recent[s] = w
}

func (r *Recorder) path() string {
	return "/api/v1/namespaces/" + url.PathEscape(r.pod.Namespace) + "/events"
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// event is the object, as v1 has it.
func (r *Recorder) event(name string, s saying, now time.Time) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Event",
		"metadata": map[string]any{"name": name, "namespace": r.pod.Namespace},
		"involvedObject": map[string]any{
			"apiVersion": "v1", "kind": "Pod", "name": r.pod.Name, "namespace": r.pod.Namespace, "uid": r.pod.UID,
		},
		"type": s.kind, "reason": s.reason, "message": s.message, "count": 1,
		"firstTimestamp": stamp(now), "lastTimestamp": stamp(now),
		"source":             map[string]any{"component": "barnabas", "host": r.pod.Node},
		"reportingComponent": "barnabas", "reportingInstance": r.pod.Name,
	}
}
