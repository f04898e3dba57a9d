package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// commands are what scripts can say besides testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"broker":  brokerCommand,
	"produce": produceCommand,
	"consume": consumeCommand,
	"load":    loadCommand,
	"follow":  followCommand,
	"get":     getCommand,
	"topics":  topicsCommand,
}

// brokerCommand is about one process:
//
//	broker start NAME [setting=value | VARIABLE=value]...   starts it and waits until it is ready; sets $NAME and $NAME_HTTP
//	! broker start NAME ...                                 it must refuse to start; what it says is stdout
//	broker kill NAME                                        kill -9
//	broker stop NAME                                        SIGTERM; it must end with code 0
//	broker stop-twice NAME                                  SIGTERM and at once another; it must end with code 0
//	broker churn NAME LOAD TIMES                            kill -9 and start again, each time once LOAD has moved on
//	broker log NAME                                         what it has printed is stdout
//	broker says NAME REGEXP                                 waits until a line of what it prints matches
func brokerCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: broker start|kill|stop|log NAME")
	}
	w := worldOf(ts)
	p, err := w.broker(args[1])
	ts.Check(err)
	switch args[0] {
	case "start":
		startBroker(ts, neg, p, args[2:])
	case "kill":
		p.kill()
	case "stop":
		stopBroker(ts, p)
	case "stop-twice":
		ts.Check(p.signal(syscall.SIGTERM))
		ts.Check(p.signal(syscall.SIGTERM))
		code, err := p.wait(stopTime)
		if err != nil || code != 0 {
			ts.Fatalf("broker %s: exit code %d, %v:\n%s", p.name, code, err, p.output)
		}
	case "says":
		line, err := regexp.Compile(args[2])
		ts.Check(err)
		ts.Check(p.says(line))
	case "churn":
		churnBroker(ts, p, w.loads[args[2]], atoi(ts, args[3]))
	case "log":
		printed(ts, strings.TrimSpace(p.output.String())+"\n")
	default:
		ts.Fatalf("unknown: broker %s", args[0])
	}
}

func startBroker(ts *testscript.TestScript, neg bool, p *process, args []string) {
	ts.Setenv(p.name, p.address)
	ts.Setenv(p.name+"_HTTP", p.http)
	var settings, env []string
	for _, a := range args {
		if name, _, _ := strings.Cut(a, "="); name == strings.ToUpper(name) {
			env = append(env, a)
		} else {
			settings = append(settings, a)
		}
	}
	began := time.Now()
	ts.Check(p.start(ts.Getenv("WORK"), settings, env))
	if neg {
		code, err := p.wait(startTime)
		ts.Check(err)
		if code != 1 {
			ts.Fatalf("exit code %d, want 1:\n%s", code, p.output)
		}
		printed(ts, strings.TrimSpace(p.output.String())+"\n")
		return
	}
	ts.Check(p.ready())
	ts.Logf("broker %s ready after %s", p.name, time.Since(began).Round(time.Millisecond))
}

// stopTime bounds a stop, on a busy machine; what could hold one up lasts longer. The log says how long it took.
const stopTime = time.Minute

func stopBroker(ts *testscript.TestScript, p *process) {
	began := time.Now()
	ts.Check(p.signal(syscall.SIGTERM))
	code, err := p.wait(stopTime)
	if err != nil || code != 0 {
		ts.Fatalf("broker %s: exit code %d, %v, after %s:\n%s", p.name, code, err, time.Since(began), p.output)
	}
	ts.Logf("broker %s stopped after %s", p.name, time.Since(began).Round(time.Millisecond))
}

// churnBroker kills the broker and starts it again, many times.
func churnBroker(ts *testscript.TestScript, p *process, l *load, times int) {
	var slowest time.Duration
	for range times {
		ts.Check(l.await(200))
		p.kill()
		began := time.Now()
		ts.Check(p.start(ts.Getenv("WORK"), p.settings, p.env))
		ts.Check(p.ready()) // an acknowledgement alone may be an old one that was under way
		ts.Check(l.await(1))
		slowest = max(slowest, time.Since(began))
	}
	ts.Logf("%d kills; the slowest return to an acknowledged record took %s", times, slowest.Round(time.Millisecond))
}

// printed makes text the standard output that the script's next stdout looks at.
func printed(ts *testscript.TestScript, text string) {
	fmt.Fprint(ts.Stdout(), text)
}

// produceCommand writes the records FROM to TO-1 with acks=all, each holding its number: produce ADDRESS TOPIC FROM TO
func produceCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: produce ADDRESS TOPIC FROM TO")
	}
	from, to := atoi(ts, args[2]), atoi(ts, args[3])
	err := produceNumbers(args[0], args[1], from, to)
	if neg != (err != nil) {
		ts.Fatalf("produce: %v", err)
	}
}

// consumeCommand reads the records of a topic until it has COUNT and prints them in order of their numbers, as ranges
// (0-99): consume ADDRESS TOPIC COUNT [GROUP]. With a group it commits what it has read.
func consumeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: consume ADDRESS TOPIC COUNT [GROUP]")
	}
	group := ""
	if len(args) > 3 {
		group = args[3]
	}
	numbers, err := consumeNumbers(args[0], args[1], group, atoi(ts, args[2]))
	if neg != (err != nil) {
		ts.Fatalf("consume: %v", err)
	}
	printed(ts, ranges(numbers)+"\n")
}

// loadCommand is a producer in the background, idempotent and with acks=all:
//
//	load start NAME ADDRESS TOPIC   begins
//	load await NAME COUNT           waits until so many more are acknowledged
//	load stop NAME                  ends
//	load verify NAME                reads the topic: every acknowledged record must be there, once and in order
func loadCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: load start|await|stop|verify NAME ...")
	}
	w, name := worldOf(ts), args[1]
	switch args[0] {
	case "start":
		l, err := startLoad(args[2], args[3])
		ts.Check(err)
		w.loads[name] = l
	case "await":
		ts.Check(w.loads[name].await(atoi(ts, args[2])))
	case "stop":
		w.loads[name].stop()
	case "verify":
		summary, err := w.loads[name].verify()
		ts.Check(err)
		ts.Logf("load %s: %s", name, summary)
	default:
		ts.Fatalf("unknown: load %s", args[0])
	}
}

func atoi(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}
