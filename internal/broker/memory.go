package broker

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"barnabas/internal/footprint"
	"barnabas/internal/unison"
)

// limitMemory tells the garbage collector about the container's bound, so that it collects more eagerly before the
// kernel kills. GOMEMLIMIT and GOGC, where given, are the operator's word and stay.
func limitMemory(logger *slog.Logger) {
	bound := containerMemory(os.ReadFile)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
		if bound <= 0 || bound >= ballastFrom {
			ballast = make([]byte, ballastBytes)
		}
	}
	if os.Getenv("GOMEMLIMIT") != "" || bound <= 0 {
		return
	}
	limit := bound / 10 * 9
	debug.SetMemoryLimit(limit)
	logger.Info("memory is bounded by the container", "bytes", bound, "limit", limit)
}

// gcPercent trades a little CPU for memory: records are in the page cache and not in the heap, which stays small.
const gcPercent = 50

// ballast counts as heap and is never touched, so the system gives it no memory. By it a small heap may grow by a dozen
// MiB before it is collected: at gcPercent of its own size alone, 2 MiB, a busy broker collects twenty times a second.
//
//lint:ignore U1000 It is held and never read.
var ballast []byte

const (
	ballastBytes = 24 << 20
	ballastFrom  = 256 << 20 // in a smaller container the memory limit, which counts it, would come too near
)

// restLook is how often it is looked whether a burst is over.
const restLook = 2 * time.Second

// takeRests returns what the start has needed, the keeper's log above all, to the system once things are quiet, and likewise what
// a burst has needed: many partitions made, a group of thousands that came. While a broker has anything to do it
// does nothing. One that has had nothing to do for a while makes do with one core.
func takeRests(ctx context.Context, cores *footprint.Cores, logger *slog.Logger) {
	defer cores.Work()
	var rest footprint.Rest
	tick := time.NewTimer(restLook + unison.Wait(time.Now(), restLook))
	defer tick.Stop()
	due := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-cores.Woken():
			cores.Work()
			continue
		case <-tick.C:
			tick.Reset(unison.Wait(time.Now(), restLook))
		}
		if due {
			if err := footprint.GiveBack(); err != nil {
				logger.Debug("memory that is not needed any more stays", "why", err)
			}
			rest.Given(footprint.Held())
		}
		due = rest.Due(footprint.Used())
		cores.Look(rest.Quiet())
	}
}

// containerMemory is the least memory bound of this process's cgroup (v2, then v1), 0 for none.
func containerMemory(read func(string) ([]byte, error)) int64 {
	for _, file := range []string{
		"/sys/fs/cgroup/memory.max",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes",
	} {
		text, err := read(file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil || n >= 1<<60 { // "max", or v1's way to say it
			return 0
		}
		return n
	}
	return 0
}
