package keeper_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/url"
	"testing"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/storetest"
)

// outside is an etcd as somebody else runs it: with TLS and a password.
type outside struct {
	address string
	tls     *tls.Config
	admin   *clientv3.Client
}

const (
	outsideUser     = "barnabas"
	outsidePassword = "secret"
)

func startOutside(t *testing.T) *outside {
	t.Helper()
	loopback := func(scheme string) []url.URL { return []url.URL{{Scheme: scheme, Host: "127.0.0.1:0"}} }
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel = t.TempDir(), "panic"
	cfg.TickMs, cfg.ElectionMs = 10, 50
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = nil, loopback("http")
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = loopback("https"), loopback("https")
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.EnableGRPCGateway, cfg.BcryptCost = false, 4
	files := certificates(t)
	cfg.ClientTLSInfo.TrustedCAFile, cfg.ClientTLSInfo.ClientCertAuth = files.CA, true
	cfg.ClientTLSInfo.CertFile, cfg.ClientTLSInfo.KeyFile = files.Certificate, files.Key
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	<-server.Server.ReadyNotify()
	secured, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{address: server.Clients[0].Addr().String(), tls: secured}
	o.login(t)
	return o
}

// certificates writes a certificate for loopback addresses that has signed itself, and its key. Server and client use it.
func certificates(t *testing.T) keeper.TLSFiles {
	t.Helper()
	dir := t.TempDir()
	info, err := transport.SelfCert(zap.NewNop(), dir, []string{"127.0.0.1:0"}, 1, x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	return keeper.TLSFiles{CA: info.CertFile, Certificate: info.CertFile, Key: info.KeyFile}
}

// login makes the user and leaves a client that may do anything.
func (o *outside) login(t *testing.T) {
	t.Helper()
	open, err := clientv3.New(clientv3.Config{Endpoints: []string{o.address}, TLS: o.tls})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	for _, user := range []string{"root", outsideUser} {
		if _, err := open.UserAdd(bounded(t), user, outsidePassword); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open.UserGrantRole(bounded(t), "root", "root"); err != nil {
		t.Fatal(err)
	}
	if _, err := open.RoleAdd(bounded(t), "mq"); err != nil {
		t.Fatal(err)
	}
	own, all := "/mq/barnabas/", clientv3.PermissionType(clientv3.PermReadWrite)
	if _, err := open.RoleGrantPermission(bounded(t), "mq", own, clientv3.GetPrefixRangeEnd(own), all); err != nil {
		t.Fatal(err)
	}
	if _, err := open.UserGrantRole(bounded(t), outsideUser, "mq"); err != nil {
		t.Fatal(err)
	}
	if _, err := open.AuthEnable(bounded(t)); err != nil {
		t.Fatal(err)
	}
	o.admin, err = clientv3.New(clientv3.Config{Endpoints: []string{o.address}, TLS: o.tls, Username: "root", Password: outsidePassword})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.admin.Close() })
}

func (o *outside) dial(t *testing.T, password string) metadata.Store {
	t.Helper()
	s, err := o.tryDial(t, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// tryDial logs in. On a busy machine that takes longer than Dial waits for it, now and then.
func (o *outside) tryDial(t *testing.T, password string) (s metadata.Store, err error) {
	t.Helper()
	for ctx := bounded(t); ctx.Err() == nil; {
		s, err = keeper.Dial(keeper.Remote{
			Servers: []string{o.address}, Chroot: "/mq", TLS: o.tls,
			Username: outsideUser, Password: password, Logger: slog.New(slog.DiscardHandler),
		})
		if !errors.Is(err, metadata.ErrUnavailable) {
			break
		}
	}
	return s, err
}

// The Store on an etcd of somebody else's, with its own keys beside others'.
func TestConformanceOutside(t *testing.T) {
	o := startOutside(t)
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		if _, err := o.admin.Delete(bounded(t), "/mq/", clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
		if _, err := o.admin.Put(bounded(t), "/mq/other", "somebody else's"); err != nil {
			t.Fatal(err)
		}
		return storetest.Backend{
			Open: func(t *testing.T) metadata.Store { return o.dial(t, outsidePassword) },
			Compact: func(t *testing.T, at metadata.Revision) {
				if _, err := o.admin.Compact(bounded(t), int64(at)); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

// A revision in which nothing of this cluster's changed is heard of all the same.
func TestOthersRevisions(t *testing.T) {
	o := startOutside(t)
	feed, err := metadata.StartFeed(bounded(t), o.dial(t, outsidePassword), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Stop()
	put, err := o.admin.Put(bounded(t), "/mq/other", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := feed.Await(bounded(t), metadata.Revision(put.Header.Revision)); err != nil {
		t.Error(err)
	}
}

func TestWrongPassword(t *testing.T) {
	o := startOutside(t)
	s, err := o.tryDial(t, "wrong")
	if !errors.Is(err, keeper.ErrLogin) {
		t.Errorf("store %v, error %v", s, err)
	}
}

func TestTLSFiles(t *testing.T) {
	o, files := startOutside(t), certificates(t)
	stranger, err := files.Config() // well made, and of another authority
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*tls.Config{"no TLS": nil, "another authority": stranger} {
		_, err := keeper.Dial(keeper.Remote{
			Servers: []string{o.address}, TLS: c, Username: outsideUser, Password: outsidePassword, Logger: slog.New(slog.DiscardHandler),
		})
		if !errors.Is(err, metadata.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, wrong := range map[string]keeper.TLSFiles{
		"no such file": {CA: "/nowhere"}, "a key for an authority": {CA: files.Key},
		"no key": {CA: files.CA, Certificate: files.Certificate},
	} {
		if _, err := wrong.Config(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
