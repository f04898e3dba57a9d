package keepers

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// etcd starts an etcd that is nobody's keeper, and returns where it is; with files, a certificate and its key, it speaks TLS, and wants
// clients to have that certificate.
func (e *ensemble) etcd(files *transport.TLSInfo) (address string) {
	t := e.t
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel, cfg.EnableGRPCGateway, cfg.BcryptCost = t.TempDir(), "panic", false, 4
	scheme := "http"
	if files != nil {
		scheme = "https"
		cfg.ClientTLSInfo.CertFile, cfg.ClientTLSInfo.KeyFile = files.CertFile, files.KeyFile
		cfg.ClientTLSInfo.TrustedCAFile, cfg.ClientTLSInfo.ClientCertAuth = files.CertFile, true
	}
	at := func(scheme string) []url.URL {
		return []url.URL{{Scheme: scheme, Host: fmt.Sprintf("127.0.0.1:%d", freePort(t))}}
	}
	cfg.ListenPeerUrls, cfg.ListenClientUrls = at("http"), at(scheme)
	cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = cfg.ListenPeerUrls, cfg.ListenClientUrls
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	<-server.Server.ReadyNotify()
	return cfg.ListenClientUrls[0].Host
}

// An etcd cluster of somebody else's holds the metadata as well.
func TestOutsideEtcd(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 0)
	e.outside = "etcd://" + e.etcd(nil) + "/kafka"
	e.serveOutside()
}

// serveOutside has three brokers serve, one of which dies and comes back.
func (e *ensemble) serveOutside() {
	e.startBrokers(3, false)
	admin := kadm.NewClient(e.client())
	e.createTopic(admin)
	p := e.produce()
	p.goesOn()
	e.brokers[0].kill()
	p.goesOn()
	e.launchBroker(e.brokers[0])
	e.ready(e.brokers[0])
	e.describe(admin)
	p.check()
}

// It speaks TLS, and knows users, of whom this one may touch nothing but its own keys. Who has the wrong password, or no
// certificate, is told so.
func TestOutsideEtcdWithTLSAndPassword(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 0)
	files, err := transport.SelfCert(zap.NewNop(), t.TempDir(), []string{"127.0.0.1:0"}, 1, x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	address := e.etcd(&files)
	e.login(address, &files)
	secured := []string{"keeper.tls.ca=" + files.CertFile, "keeper.tls.certificate=" + files.CertFile, "keeper.tls.key=" + files.KeyFile}
	for _, wrong := range []struct {
		connect  string
		settings []string
		says     string
	}{
		{"etcd://mq:mistaken@" + address + "/kafka", secured, "the user or the password is wrong"},
		{"etcd://mq:secret@" + address + "/elsewhere", secured, "permission"},
	} {
		args := []string{"server", "--override", "zookeeper.connect=" + wrong.connect, "--override", "log.dirs=" + t.TempDir(),
			"--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", "http.listener=127.0.0.1:0"}
		for _, s := range wrong.settings {
			args = append(args, "--override", s)
		}
		said, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		if err == nil || !strings.Contains(string(said), wrong.says) || strings.Contains(string(said), "secret@") {
			t.Errorf("%s: %v\n%s", wrong.connect, err, said)
		}
	}
	for _, waits := range []struct {
		settings []string
		says     string
	}{
		{nil, "it speaks TLS, and this broker does not: set keeper.tls.enable=true"},
		{secured[:1], "TLS with it fails: remote error: tls: "}, // it wants a certificate
		{[]string{"keeper.tls.enable=true"}, "certificate signed by unknown authority"},
	} {
		b := &process{name: "a broker", number: 1, address: "127.0.0.1:0", http: fmt.Sprintf("127.0.0.1:%d", freePort(t)), dir: t.TempDir()}
		e.outside, e.settings = "etcd://"+address, waits.settings
		e.launchBroker(b)
		e.keepers = append(e.keepers, b) // so that it ends with the test
		e.await("it to say why nobody answers", func() bool {
			return b.output.Says(waits.says) && strings.Contains(b.readiness(), waits.says)
		})
		b.kill()
	}
	e.outside, e.settings = "etcd://mq:secret@"+address+"/kafka", secured
	e.serveOutside()
	for _, b := range e.brokers {
		if b.output.Says("secret@") {
			t.Errorf("%s prints the password", b.name)
		}
	}
}

// login makes a user of an etcd, and has it want one.
func (e *ensemble) login(address string, files *transport.TLSInfo) {
	e.t.Helper()
	trusting := transport.TLSInfo{CertFile: files.CertFile, KeyFile: files.KeyFile, TrustedCAFile: files.CertFile}
	secured, err := trusting.ClientConfig()
	if err != nil {
		e.t.Fatal(err)
	}
	open, err := clientv3.New(clientv3.Config{Endpoints: []string{address}, TLS: secured, Logger: zap.NewNop()})
	if err != nil {
		e.t.Fatal(err)
	}
	defer open.Close()
	ctx := e.t.Context()
	own := "/kafka/barnabas/"
	for _, step := range []func() error{
		func() error { _, err := open.UserAdd(ctx, "root", "of all"); return err },
		func() error { _, err := open.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := open.UserAdd(ctx, "mq", "secret"); return err },
		func() error { _, err := open.RoleAdd(ctx, "mq"); return err },
		func() error {
			_, err := open.RoleGrantPermission(ctx, "mq", own, clientv3.GetPrefixRangeEnd(own), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := open.UserGrantRole(ctx, "mq", "mq"); return err },
		func() error { _, err := open.AuthEnable(ctx); return err },
	} {
		if err := step(); err != nil {
			e.t.Fatal(err)
		}
	}
}
