package zookeeper

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// version is the ZooKeeper that this server behaves as; tools look at its first two numbers.
const version = "3.9.3-" + Mark

// Mark is in the answer to srvr, so that a keeper is not taken for a real ZooKeeper.
const Mark = "barnabas"

const notServing = "This ZooKeeper instance is not currently serving requests\n"

// words are the four-letter words and their answers.
var words map[string]func(*Server) string

func init() {
	words = map[string]func(*Server) string{
		"ruok": func(*Server) string { return "imok" },
		"srvr": (*Server).wordServer,
		"stat": func(s *Server) string { return s.serving(s.wordStat) },
		"mntr": func(s *Server) string { return s.serving(s.wordMonitor) },
		"cons": func(s *Server) string { return s.serving(func() string { return s.connections(false) + "\n" }) },
		"crst": func(s *Server) string { return s.serving(s.wordResetConnections) },
		"srst": func(s *Server) string { return s.serving(s.wordResetServer) },
		"conf": func(s *Server) string { return s.serving(s.wordConf) },
		"isro": (*Server).wordReadOnly,
		"envi": (*Server).wordEnvironment,
		"dump": func(s *Server) string { return s.serving(s.wordDump) },
		"wchs": func(s *Server) string { return s.serving(s.wordWatches) },
		"wchc": func(s *Server) string { return s.serving(func() string { return s.watchList(false) }) },
		"wchp": func(s *Server) string { return s.serving(func() string { return s.watchList(true) }) },
		"dirs": func(s *Server) string { return s.serving(s.wordDirectories) },
	}
}

// isWord says whether a connection's first four bytes are one of the words; none is a length that is allowed.
func isWord(first string) bool { return words[first] != nil }

func (s *Server) answerWord(word string, c *conn) string {
	if word != "srvr" && !slices.Contains(s.options.Words, word) && !slices.Contains(s.options.Words, "*") {
		s.log.Info("zookeeper: a four-letter word is not answered", "word", word, "client", c.net.RemoteAddr())
		return word + " is not executed because it is not in the whitelist.\n"
	}
	if word != "ruok" {
		// The first to ask wakes the server, and is not told that it sleeps.
		ctx, cancel := context.WithTimeout(s.ctx, wordWaits)
		defer cancel()
		_ = s.replica.await(ctx, func() bool { return true })
	}
	return words[word](s)
}

// wordWaits is how long a word waits for a copy of the tree.
const wordWaits = time.Second

// serving is an answer that a server without a copy of the tree can't give.
func (s *Server) serving(answer func() string) string {
	if !s.isServing() {
		return notServing
	}
	return answer()
}

func (s *Server) isServing() bool {
	s.replica.mu.RLock()
	defer s.replica.mu.RUnlock()
	return s.replica.tree != nil
}

func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// withTree calls look with the copy, if there is one.
func (s *Server) withTree(look func(*tree.Tree, *tree.Watches[*conn])) {
	s.replica.mu.RLock()
	defer s.replica.mu.RUnlock()
	if s.replica.tree != nil {
		look(s.replica.tree, s.replica.watches)
	}
}

func (s *Server) wordServer() string {
	return "Zookeeper version: " + version + "\n" + s.serving(s.summary)
}

func (s *Server) wordStat() string {
	return "Zookeeper version: " + version + "\nClients:\n" + s.connections(true) + "\n" + s.summary()
}

func (s *Server) outstanding() (n int) {
	for _, c := range s.all() {
		c.mu.Lock()
		n += c.pending
		c.mu.Unlock()
	}
	return n
}

func (s *Server) summary() string {
	var b strings.Builder
	low, average, high := s.stats.latency.milliseconds()
	fmt.Fprintf(&b, "Latency min/avg/max: %d/%.4f/%d\n", low, average, high)
	fmt.Fprintf(&b, "Received: %d\nSent: %d\n", s.stats.received.Load(), s.stats.sent.Load())
	fmt.Fprintf(&b, "Connections: %d\nOutstanding: %d\n", len(s.all()), s.outstanding())
	s.withTree(func(t *tree.Tree, _ *tree.Watches[*conn]) {
		fmt.Fprintf(&b, "Zxid: 0x%x\nMode: %s\nNode count: %d\n", t.Zxid(), s.options.Mode(), t.Count())
	})
	return b.String()
}

// connections lists the clients, as stat does or, with what is known of each, as cons does.
func (s *Server) connections(brief bool) string {
	var b strings.Builder
	for _, c := range s.all() {
		c.mu.Lock()
		queued := c.pending
		c.mu.Unlock()
		fmt.Fprintf(&b, " /%s[1](queued=%d,recved=%d,sent=%d", c.net.RemoteAddr(), queued, c.tally.received.Load(), c.tally.sent.Load())
		if id := c.session.Load(); id != 0 && !brief {
			low, average, high := c.tally.latency.milliseconds()
			fmt.Fprintf(&b, ",sid=%s,lop=%s,est=%d,to=%d,lcxid=0x%x,lzxid=0x%x,lresp=%d,llat=%d,minlat=%d,avglat=%.0f,maxlat=%d",
				hexID(id), opName(jute.Op(c.tally.lastOp.Load())), c.started.UnixMilli(), s.timeoutOf(c).Milliseconds(),
				uint32(c.tally.lastXid.Load()), c.zxid(), c.tally.lastAt.Load(), c.tally.lastLatency.Load(), low, average, high)
		}
		b.WriteString(")\n")
	}
	return b.String()
}

func (s *Server) timeoutOf(c *conn) time.Duration {
	s.replica.mu.RLock()
	defer s.replica.mu.RUnlock()
	if c.local == nil {
		return 0
	}
	return c.local.timeout
}

// opName is how ZooKeeper shortens an operation.
func opName(op jute.Op) string {
	names := map[jute.Op]string{
		jute.OpCreate: "CREA", jute.OpCreate2: "CREA", jute.OpCreateTTL: "CREA", jute.OpCreateContainer: "CREA",
		jute.OpDelete: "DELE", jute.OpExists: "EXIS", jute.OpGetData: "GETD", jute.OpSetData: "SETD", jute.OpGetACL: "GETA",
		jute.OpSetACL: "SETA", jute.OpGetChildren: "GETC", jute.OpGetChildren2: "GETC", jute.OpSync: "SYNC", jute.OpPing: "PING",
		jute.OpCheck: "CHEC", jute.OpMulti: "MULT", jute.OpMultiRead: "MLTR", jute.OpSetWatches: "SETW", jute.OpSetWatches2: "STW2",
		jute.OpAddWatch: "ADDW", jute.OpCheckWatches: "CHKW", jute.OpRemoveWatches: "REMW", jute.OpGetEphemerals: "GETE",
		jute.OpGetAllChildrenNumber: "GETACN", jute.OpWhoAmI: "HOMI",
	}
	if name := names[op]; name != "" {
		return name
	}
	return "SESS"
}

func (s *Server) wordResetConnections() string {
	for _, c := range s.all() {
		c.tally.received.Store(0)
		c.tally.sent.Store(0)
		c.tally.latency.reset()
	}
	return "Connection stats reset.\n"
}

func (s *Server) wordResetServer() string {
	s.stats.received.Store(0)
	s.stats.sent.Store(0)
	s.stats.latency.reset()
	return "Server stats reset.\n"
}

func (s *Server) wordConf() string {
	o := s.options
	return fmt.Sprintf("clientPort=%d\nsecureClientPort=-1\ndataDir=%s\ndataDirSize=0\ndataLogDir=%s\ndataLogSize=0\ntickTime=%d\n"+
		"maxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\nclientPortListenBacklog=-1\nserverId=0\n",
		o.Port, o.Dir, o.Dir, o.TickTime.Milliseconds(), max(0, o.PerAddress), o.MinSessionTimeout.Milliseconds(),
		o.MaxSessionTimeout.Milliseconds())
}

func (s *Server) wordReadOnly() string {
	if !s.isServing() {
		return "null"
	}
	return "rw"
}

func (s *Server) wordEnvironment() string {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	return fmt.Sprintf("Environment:\nzookeeper.version=%s\nhost.name=%s\ngo.version=%s\nos.name=%s\nos.arch=%s\nuser.dir=%s\n",
		version, host, runtime.Version(), runtime.GOOS, runtime.GOARCH, dir)
}

func (s *Server) wordDump() string {
	var b strings.Builder
	s.withTree(func(t *tree.Tree, _ *tree.Watches[*conn]) {
		owners := make(map[int64]int32)
		t.Sessions(func(id int64, session *tree.Session) { owners[id] = session.TimeoutMs })
		fmt.Fprintf(&b, "SessionTracker dump:\nSession Sets (%d)/(%d):\n", len(owners), len(owners))
		for id, timeout := range owners {
			fmt.Fprintf(&b, "%s\t%dms\n", hexID(id), timeout)
		}
		var nodes strings.Builder
		count := 0
		for id := range owners {
			if paths := t.Ephemerals(id, ""); len(paths) > 0 {
				count++
				fmt.Fprintf(&nodes, "%s:\n\t%s\n", hexID(id), strings.Join(paths, "\n\t"))
			}
		}
		fmt.Fprintf(&b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n%s", count, nodes.String())
	})
	b.WriteString("Connections dump:\n" + s.connections(true))
	return b.String()
}

func (s *Server) wordWatches() string {
	var b strings.Builder
	s.withTree(func(_ *tree.Tree, w *tree.Watches[*conn]) {
		watchers, paths, watches := w.Summary()
		fmt.Fprintf(&b, "%d connections watching %d paths\nTotal watches:%d\n", watchers, paths, watches)
	})
	return b.String()
}

// watchList lists the watches by path, or by session.
func (s *Server) watchList(byPath bool) string {
	lists := make(map[string][]string)
	s.withTree(func(_ *tree.Tree, w *tree.Watches[*conn]) {
		w.Each(func(path string, who *conn) {
			key, entry := path, hexID(who.session.Load())
			if !byPath {
				key, entry = entry, key
			}
			if !slices.Contains(lists[key], entry) {
				lists[key] = append(lists[key], entry)
			}
		})
	})
	var b strings.Builder
	for key, list := range lists {
		fmt.Fprintf(&b, "%s\n\t%s\n", key, strings.Join(list, "\n\t"))
	}
	return b.String() + "\n"
}

func (s *Server) wordDirectories() string { return "datadir_size: 0\nlogdir_size: 0\n" }

func (s *Server) wordMonitor() string {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "zk_%s\t%v\n", name, value) }
	low, average, high := s.stats.latency.milliseconds()
	line("version", version)
	line("server_state", s.options.Mode())
	line("min_latency", low)
	line("avg_latency", fmt.Sprintf("%.4f", average))
	line("max_latency", high)
	line("packets_received", s.stats.received.Load())
	line("packets_sent", s.stats.sent.Load())
	line("num_alive_connections", len(s.all()))
	line("outstanding_requests", s.outstanding())
	line("uptime", time.Since(s.started).Milliseconds())
	s.withTree(func(t *tree.Tree, w *tree.Watches[*conn]) {
		_, _, watches := w.Summary()
		sessions := 0
		t.Sessions(func(int64, *tree.Session) { sessions++ })
		line("znode_count", t.Count())
		line("watch_count", watches)
		line("ephemerals_count", t.EphemeralCount())
		line("approximate_data_size", t.DataSize())
		line("global_sessions", sessions)
	})
	return b.String()
}
