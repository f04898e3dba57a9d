package keeper

import (
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"barnabas/internal/metadata/etcdstore"
	"barnabas/internal/zookeeper"
)

// ZooKeeper says how a keeper speaks ZooKeeper's protocol.
type ZooKeeper struct {
	// Words are the four-letter words that are answered besides srvr; "*" is all.
	Words []string
	// TickTime is ZooKeeper's unit of time, 0 for its 2 s; PerAddress bounds the connections from one address, 0 for none.
	TickTime   time.Duration
	PerAddress int
}

// anyWord is what a keeper answers that nobody has configured: the one within a broker.
var anyWord = ZooKeeper{Words: []string{"*"}}

// face is the ZooKeeper face of one etcd server. It costs nothing until somebody speaks ZooKeeper's protocol.
type face struct {
	settings ZooKeeper
	etcd     *etcdserver.EtcdServer
	port     int
	log      *slog.Logger

	mu     sync.Mutex
	server *zookeeper.Server
	client *clientv3.Client
	closed bool
}

// serve speaks with a client until it goes.
func (f *face) serve(conn net.Conn) {
	server := f.wake()
	if server == nil {
		conn.Close()
		return
	}
	server.Serve(conn)
}

// wake begins at the first client.
func (f *face) wake() *zookeeper.Server {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.server != nil {
		return f.server
	}
	f.client = v3client.New(f.etcd)
	perAddress := f.settings.PerAddress
	if perAddress == 0 {
		perAddress = -1
	}
	f.server = zookeeper.New(zookeeper.Options{
		Store: etcdstore.New(f.client, leasesOf(f.etcd), ""), Name: f.etcd.Cfg.Name, Log: f.log, TickTime: f.settings.TickTime,
		Words: f.settings.Words, PerAddress: perAddress, Mode: f.mode, Port: f.port, Dir: f.etcd.Cfg.DataDir,
	})
	return f.server
}

// mode is what ZooKeeper calls what this member is.
func (f *face) mode() string {
	switch {
	case len(f.etcd.Cluster().Members()) < 2:
		return "standalone"
	case f.etcd.Leader() == f.etcd.MemberID():
		return "leader"
	}
	return "follower"
}

// close ends every session's connection; the sessions go on elsewhere.
func (f *face) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.server != nil {
		f.server.Close()
		f.server = nil
		f.client.Close()
	}
}

// answers says whether a word is answered.
func (z ZooKeeper) answers(word string) bool {
	return slices.Contains(z.Words, word) || slices.Contains(z.Words, "*")
}

func portOf(address net.Addr) int {
	if tcp, ok := address.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}
