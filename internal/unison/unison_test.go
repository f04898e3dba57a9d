package unison

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWait(t *testing.T) {
	const ms = time.Millisecond
	hour := time.Date(2030, 1, 2, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct{ past, every, want time.Duration }{
		{0, 500 * ms, 500 * ms},
		{1, 500 * ms, 500*ms - 1},
		{499 * ms, 500 * ms, ms},
		{500*ms - 1, 500 * ms, 1},
		{500 * ms, 500 * ms, 500 * ms},
		{730 * ms, 200 * ms, 70 * ms},
		{730 * ms, time.Second, 270 * ms},
		{730 * ms, 1, 1},
		{730 * ms, 0, 0},
		{730 * ms, -1, 0},
	} {
		if got := Wait(hour.Add(c.past), c.every); got != c.want {
			t.Errorf("%v past the hour, every %v: %v, %v was expected", c.past, c.every, got, c.want)
		}
	}
}

func TestThoseThatBeganApartAreWokenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		woken := make(chan time.Time)
		for i := range 3 {
			time.Sleep(time.Duration(i) * 17 * time.Millisecond) // the bubble's time
			ticker := NewTicker(100 * time.Millisecond)
			go func() {
				defer ticker.Stop()
				for range 4 {
					<-ticker.C
					woken <- time.Now()
					ticker.Next()
				}
			}()
		}
		for range 4 {
			first := <-woken
			for range 2 {
				if next := <-woken; !next.Equal(first) {
					t.Errorf("one at %v, another one at %v", first, next)
				}
			}
		}
	})
}
