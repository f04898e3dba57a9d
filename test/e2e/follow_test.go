package e2e

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"
)

// follower is a group's member in the background: it polls for long, as consumers do where there is little to read.
type follower struct {
	client   *kgo.Client
	cancel   context.CancelFunc
	done     chan struct{}
	read     atomic.Int64
	progress chan struct{} // one place: records have come
}

// followCommand is a consumer in the background:
//
//	follow start NAME ADDRESS TOPIC GROUP   begins
//	follow await NAME COUNT                 waits until it has read so many in all
//	follow stop NAME                        ends
func followCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: follow start|await|stop NAME ...")
	}
	w, name := worldOf(ts), args[1]
	switch args[0] {
	case "start":
		f, err := startFollower(args[2], args[3], args[4])
		ts.Check(err)
		w.followers[name] = f
	case "await":
		ts.Check(w.followers[name].await(int64(atoi(ts, args[2]))))
	case "stop":
		w.followers[name].stop()
	default:
		ts.Fatalf("unknown: follow %s", args[0])
	}
}

func startFollower(address, topic, group string) (*follower, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(address), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(10*time.Minute),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{client: client, cancel: cancel, done: make(chan struct{}), progress: make(chan struct{}, 1)}
	go f.run(ctx)
	return f, nil
}

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	for ctx.Err() == nil {
		f.read.Add(int64(f.client.PollFetches(ctx).NumRecords()))
		select {
		case f.progress <- struct{}{}:
		default:
		}
	}
}

func (f *follower) await(count int64) error {
	deadline := time.After(clientTime)
	for f.read.Load() < count {
		select {
		case <-f.progress:
		case <-deadline:
			return fmt.Errorf("%d of %d records read within %s", f.read.Load(), count, clientTime)
		}
	}
	return nil
}

func (f *follower) stop() {
	f.cancel()
	<-f.done
	f.client.CloseAllowingRebalance()
}
