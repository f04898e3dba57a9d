package cli

import (
	"context"
	"time"
)

// throttleRest is the shortest sleep: timers are coarse, so pauses are saved up to it.
const throttleRest = 2 * time.Millisecond

// throttle keeps a producer at about so many records a second. Below zero it does nothing; at zero
// it lets the first record through and then nothing.
type throttle struct {
	perSecond float64
	began     time.Time
}

func newThrottle(perSecond float64) *throttle {
	return &throttle{perSecond: perSecond, began: time.Now()}
}

// after waits, having sent so many records, until the next is due or the context ends.
func (t *throttle) after(ctx context.Context, sent int64) {
	if t.perSecond < 0 {
		return
	}
	if t.perSecond == 0 {
		<-ctx.Done()
		return
	}
	ahead := time.Duration(float64(sent)/t.perSecond*float64(time.Second)) - time.Since(t.began)
	if ahead < throttleRest {
		return
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
