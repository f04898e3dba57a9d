package pods

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// From the first apply of the whole recipe to the first acknowledged record, and the memory of its six pods at rest.
func TestFigures(t *testing.T) {
	w := newWorld(t)
	began := time.Now()
	l := w.startLoad("-bootstrap", outsideAddresses, "-topic", "first", "-create", "-partitions", "1", "-rate", "20")
	w.apply("zookeeper-svc.yaml")
	w.apply("zookeeper-deployment.yaml")
	w.applyBrokers()
	w.await("the first acknowledged record", func() bool { return l.stat().Acked > 0 })
	w.say("FIGURE apply to the first acknowledged record: %.2f s", time.Since(began).Seconds())
	l.flows(20, "after the first")
	l.finish()
	select {
	case <-time.After(5 * time.Second): // what a start has used is given back meanwhile
	case <-t.Context().Done():
	}
	total, broker, hosts := memory{}, memory{}, map[string]memory{}
	for _, p := range w.GetPods() {
		for _, pid := range p.PIDs {
			m, err := memoryOf(pid)
			if err != nil {
				t.Fatal(err)
			}
			w.say("%s: %s", p.Name, m)
			total.add(m)
			h := hosts[p.Node]
			hosts[p.Node] = memory{resident: max(h.resident, m.resident-m.anonymous), anonymous: h.anonymous + m.anonymous}
			if strings.HasPrefix(p.Name, "kafka") && m.resident > broker.resident {
				broker = m
			}
		}
	}
	w.say("FIGURE six pods at rest: %s", total)
	if total.resident > mostAtRest {
		t.Errorf("six pods at rest take %d bytes, of at most %d", total.resident, mostAtRest)
	}
	if broker.resident > mostOfBroker {
		t.Errorf("a broker at rest takes %d bytes, of at most %d", broker.resident, mostOfBroker)
	}
	counted := 0
	for _, h := range hosts {
		counted += h.resident + h.anonymous
	}
	w.say("FIGURE six pods at rest, the program once on each host, as cgroups count: %.1f MiB", float64(counted)/(1<<20))
	w.say("FIGURE the largest broker at rest: %s", broker)
}

// What is promised of memory at rest, in bytes: resident, where the program counts once for each process.
const (
	mostAtRest   = 200 << 20
	mostOfBroker = 64 << 20
)

// memory of a process, in bytes.
type memory struct{ resident, share, anonymous int }

func (m *memory) add(o memory) {
	m.resident, m.share, m.anonymous = m.resident+o.resident, m.share+o.share, m.anonymous+o.anonymous
}

func (m memory) String() string {
	return fmt.Sprintf("%.1f MiB resident, %.1f MiB with the program shared, %.1f MiB of its own",
		float64(m.resident)/(1<<20), float64(m.share)/(1<<20), float64(m.anonymous)/(1<<20))
}

func memoryOf(pid int) (memory, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return memory{}, err
	}
	field := func(name string) int {
		_, rest, _ := strings.Cut(string(raw), "\n"+name+":")
		words := strings.Fields(rest)
		if len(words) == 0 {
			return 0
		}
		kilo, _ := strconv.Atoi(words[0])
		return kilo << 10
	}
	return memory{field("Rss"), field("Pss"), field("Anonymous")}, nil
}
