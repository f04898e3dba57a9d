package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// compareIdle measures what three idle processes of each build cost, all builds side by side, in slices of time that
// are the same for all: others on the machine then take from each alike.
//
//	go run ./bench -compare old/barnabas,new/barnabas -case idle3 -slices 6
func compareIdle(programs string, slicesEach int) error {
	var all []*idleBuild
	defer func() {
		for _, one := range all {
			one.close()
		}
	}()
	if err := unpinSelf(); err != nil {
		return err
	}
	for program := range strings.SplitSeq(programs, ",") {
		t, err := startThree(barnabas{binary: program}, streamPartitions)
		if err != nil {
			return err
		}
		all = append(all, &idleBuild{trio: t, name: filepath.Base(program)})
	}
	time.Sleep(settleFor)
	for range slicesEach {
		for _, one := range all {
			if err := one.begin(); err != nil {
				return err
			}
		}
		time.Sleep(idleSlice)
		for _, one := range all {
			if err := one.end(); err != nil {
				return err
			}
		}
	}
	for _, one := range all {
		resident, err := residentMiB(one.pids()...)
		if err != nil {
			return err
		}
		slices.Sort(one.percent)
		fmt.Printf("%-16s of a core: median %.2f %% (%.2f to %.2f), wake-ups %.0f/s, resident %.0f MiB, to the first: %.2f\n", one.name, median(one.percent),
			one.percent[0], one.percent[len(one.percent)-1], median(one.wakes), resident, median(one.percent)/median(all[0].percent))
	}
	return nil
}

// idleSlice is long enough for the clock's ticks, in which the kernel counts.
const idleSlice = 20 * time.Second

// idleBuild is three processes of a build.
type idleBuild struct {
	*trio
	name           string
	at             time.Time
	used           time.Duration
	woken          int64
	percent, wakes []float64
}

func (b *idleBuild) begin() (err error) {
	b.at = time.Now()
	if b.used, err = cpuTime(b.pids()...); err == nil {
		b.woken, err = wakeUps(b.pids()...)
	}
	return err
}

func (b *idleBuild) end() error {
	used, err := cpuTime(b.pids()...)
	if err != nil {
		return err
	}
	woken, err := wakeUps(b.pids()...)
	took := time.Since(b.at).Seconds()
	b.percent = append(b.percent, 100*(used-b.used).Seconds()/took)
	b.wakes = append(b.wakes, float64(woken-b.woken)/took)
	return err
}

// wakeUps is how often threads of the processes have gone to sleep by themselves.
func wakeUps(pids ...int) (int64, error) {
	total := int64(0)
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		if err != nil {
			return 0, err
		}
		for _, thread := range threads {
			raw, err := os.ReadFile(thread)
			if err != nil {
				continue // it has ended
			}
			for line := range strings.Lines(string(raw)) {
				var n int64
				if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
					total += n
				}
			}
		}
	}
	return total, nil
}
