// Package tls runs brokers whose listeners speak TLS, with stores in Kafka's three formats, and clients that come rightly and wrongly.
package tls

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/certificates"
	"barnabas/test/launch"
	"barnabas/test/loopback"
)

var program string

func TestMain(m *testing.M) {
	os.Exit(launch.Main(m, func(dir string) (_ func(), err error) {
		program, err = launch.Build(dir)
		return nil, err
	}))
}

// patience bounds every wait, on a machine with much else to do.
const patience = time.Minute

// broker is a process that serves.
type broker struct {
	http    string
	command *exec.Cmd
	exited  chan struct{}
	output  launch.Output
}

// launchBroker starts a broker, and does not wait for it.
func launchBroker(t *testing.T, files []string, settings ...string) *broker {
	t.Helper()
	b := &broker{http: loopback.Free(t), exited: make(chan struct{})}
	args := append([]string{"server"}, files...)
	for _, s := range append([]string{"http.listener=" + b.http, "group.initial.rebalance.delay.ms=0"}, settings...) {
		args = append(args, "--override", s)
	}
	b.command = exec.Command(program, args...)
	b.command.Stdout, b.command.Stderr = &b.output, &b.output
	if err := b.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		b.command.Wait()
		close(b.exited)
	}()
	t.Cleanup(func() {
		if err := b.command.Process.Kill(); err == nil || errors.Is(err, os.ErrProcessDone) {
			<-b.exited
		}
	})
	return b
}

func startBroker(t *testing.T, settings ...string) *broker {
	t.Helper()
	b := launchBroker(t, nil, append(settings, "log.dirs="+t.TempDir(), "keeper.listener=")...)
	b.ready(t)
	return b
}

func (b *broker) ready(t *testing.T) {
	t.Helper()
	launch.Await(t, patience, "the broker to be ready", b.output.Tail, func() bool {
		select {
		case <-b.exited:
			t.Fatalf("it ended:\n%s", b.output.Tail())
		default:
		}
		return launch.IsReady(b.http)
	})
}

// says waits until the broker has printed that: what it prints comes by a pipe, and its answers may be quicker.
func (b *broker) says(t *testing.T, what string) {
	t.Helper()
	launch.Await(t, patience, "it to say "+what, b.output.Tail, func() bool { return b.output.Says(what) })
}

// run runs a tool, with something to read, and returns what it says and whether it ended well.
func run(t *testing.T, stdin string, args ...string) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	return string(out), err == nil
}

func mustRun(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, ok := run(t, stdin, args...)
	if !ok {
		t.Fatalf("%s:\n%s", strings.Join(args, " "), out)
	}
	return out
}

// properties writes a client's properties file, with security.protocol=SSL.
func properties(t *testing.T, lines ...string) string {
	t.Helper()
	return certificates.Write(t, t.TempDir(), "client.properties",
		[]byte("security.protocol=SSL\n"+strings.Join(lines, "\n")+"\n"))
}

func host(address string) string { return address[:strings.LastIndexByte(address, ':')] }

// TestStores: four listeners with stores of all kinds, and tools with all kinds.
func TestStores(t *testing.T) {
	dir := t.TempDir()
	ca := certificates.NewAuthority(t, "CA")
	pem, p12, jks, inline := loopback.Free(t), loopback.Free(t), loopback.Free(t), loopback.Free(t)
	entry := ca.Issue("broker", host(pem), "localhost")
	client := ca.Issue("client")
	write := func(name string, data []byte) string { return certificates.Write(t, dir, name, data) }
	oneLine := func(text []byte) string { return strings.ReplaceAll(string(text), "\n", "\\n") }
	file := certificates.Write(t, dir, "server.properties", []byte(strings.Join([]string{
		"listeners=PEM://" + pem + ",P12://" + p12 + ",JKS://" + jks + ",INLINE://" + inline,
		"listener.security.protocol.map=PEM:SSL,P12:SSL,JKS:SSL,INLINE:SSL",
		"inter.broker.listener.name=PEM", "node.id=0",
		"listener.name.pem.ssl.keystore.type=PEM",
		"listener.name.pem.ssl.keystore.location=" + write("k.pem", entry.PEM()),
		"listener.name.p12.ssl.keystore.type=PKCS12",
		"listener.name.p12.ssl.keystore.location=" + write("k.p12", entry.PKCS12()),
		"listener.name.p12.ssl.keystore.password=" + certificates.Password,
		"listener.name.p12.ssl.truststore.location=" + write("t.p12", ca.PKCS12()),
		"listener.name.p12.ssl.truststore.password=" + certificates.Password,
		"listener.name.p12.ssl.client.auth=required",
		"listener.name.jks.ssl.keystore.location=" + write("k.jks", entry.JKS("key-password")),
		"listener.name.jks.ssl.keystore.password=" + certificates.Password,
		"listener.name.jks.ssl.key.password=key-password",
		"listener.name.jks.ssl.truststore.location=" + write("t.jks", ca.JKS()),
		"listener.name.jks.ssl.truststore.password=" + certificates.Password,
		"listener.name.jks.ssl.client.auth=requested",
		"listener.name.jks.ssl.enabled.protocols=TLSv1.2",
		"listener.name.inline.ssl.keystore.type=PEM",
		"listener.name.inline.ssl.keystore.key=" + oneLine(entry.KeyPEM()),
		"listener.name.inline.ssl.keystore.certificate.chain=" + oneLine(entry.ChainPEM()),
	}, "\n")))
	b := launchBroker(t, []string{file}, "log.dirs="+t.TempDir(), "keeper.listener=")
	b.ready(t)
	withPEM := properties(t, "ssl.truststore.type=PEM", "ssl.truststore.location="+write("ca.pem", ca.PEM()))
	withJKS := properties(t, "ssl.truststore.location="+dir+"/t.jks", "ssl.truststore.password="+certificates.Password)
	withP12 := properties(t, "ssl.truststore.type=PKCS12", "ssl.truststore.location="+dir+"/t.p12", "ssl.truststore.password="+certificates.Password,
		"ssl.keystore.type=PKCS12", "ssl.keystore.location="+write("client.p12", client.PKCS12()), "ssl.keystore.password="+certificates.Password)
	inlineProperties := properties(t, "ssl.truststore.type=PEM", "ssl.truststore.certificates="+oneLine(ca.PEM()),
		"ssl.keystore.type=PEM", "ssl.keystore.key="+oneLine(client.KeyPEM()), "ssl.keystore.certificate.chain="+oneLine(client.ChainPEM()))
	mustRun(t, "", "kafka-topics.sh", "--bootstrap-server", pem, "--command-config", withPEM, "--create", "--topic", "a")
	for i, at := range []struct{ address, config string }{{pem, withPEM}, {p12, withP12}, {p12, inlineProperties}, {jks, withJKS}, {inline, withPEM}} {
		mustRun(t, fmt.Sprintf("record %d\n", i), "kafka-console-producer.sh", "--bootstrap-server", at.address,
			"--producer.config", at.config, "--topic", "a")
		out := mustRun(t, "", "kafka-console-consumer.sh", "--bootstrap-server", at.address, "--consumer.config", at.config,
			"--topic", "a", "--from-beginning", "--max-messages", strconv.Itoa(i+1), "--timeout-ms", "60000")
		if !strings.Contains(out, fmt.Sprintf("record %d\n", i)) {
			t.Errorf("%s: %s", at.address, out)
		}
	}
	out := mustRun(t, "", "kafka-configs.sh", "--bootstrap-server", pem, "--command-config", withPEM,
		"--describe", "--all", "--entity-type", "brokers", "--entity-name", "0")
	if strings.Contains(out, certificates.Password) || !strings.Contains(out, "listener.name.p12.ssl.keystore.password=null") {
		t.Errorf("passwords are shown, or not told of:\n%s", out)
	}
	refused(t, b, "no certificate", "kafka-topics.sh", "--bootstrap-server", p12, "--command-config", withPEM, "--list")
	b.says(t, "ssl.client.auth=required")
}

func refused(t *testing.T, b *broker, what string, args ...string) string {
	t.Helper()
	out, ok := run(t, "", args...)
	if ok {
		t.Errorf("%s: it is served\n%s", what, b.output.Tail())
	}
	return out
}

// ours is what a broker with one listener has of a certificate.
func ours(listener string, e *certificates.Entry, dir string, t *testing.T) []string {
	return []string{
		"listeners=SSL://" + listener, "security.inter.broker.protocol=SSL", "ssl.keystore.type=PEM",
		"ssl.keystore.location=" + certificates.Write(t, dir, "broker.pem", e.PEM()), "barnabas.ssl.reload.interval.ms=50",
	}
}

func trusting(t *testing.T, ca *certificates.Authority, more ...string) string {
	t.Helper()
	file := certificates.Write(t, t.TempDir(), "ca.pem", ca.PEM())
	return properties(t, append([]string{"ssl.truststore.type=PEM", "ssl.truststore.location=" + file}, more...)...)
}

// TestRefusals: what is wrong with a certificate, or with a client, is said by the one who sees it.
func TestRefusals(t *testing.T) {
	ca, other := certificates.NewAuthority(t, "CA"), certificates.NewAuthority(t, "other")
	at := loopback.Free(t)
	b := startBroker(t, ours(at, ca.Issue("broker", host(at)), t.TempDir(), t)...)
	list := func(bootstrap, config string) []string {
		return []string{"kafka-topics.sh", "--bootstrap-server", bootstrap, "--command-config", config, "--list"}
	}
	mustRun(t, "", list(at, trusting(t, ca))...)
	if out := mustRun(t, "", "doctor", "--bootstrap-server", at, "--command-config", trusting(t, ca)); !strings.Contains(out, "no problems found") {
		t.Errorf("the doctor finds: %s", out)
	}
	for _, c := range []struct{ name, config, want string }{
		{"another authority", trusting(t, other), "unknown authority"},
		{"the system's", properties(t), "certificate"},
	} {
		if out := refused(t, b, c.name, list(at, c.config)...); !strings.Contains(out, c.want) {
			t.Errorf("%s: %s", c.name, out)
		}
	}
	elsewhere := loopback.Free(t)
	named := ca.Issue("broker", "kafka.example.com")
	b = startBroker(t, ours(elsewhere, named, t.TempDir(), t)...)
	b.says(t, "is for kafka.example.com, and not for "+host(elsewhere))
	if out := refused(t, b, "another name", list(elsewhere, trusting(t, ca))...); !strings.Contains(out, "doesn't contain any IP SANs") {
		t.Errorf("another name: %s", out)
	}
	mustRun(t, "", list(elsewhere, trusting(t, ca, "ssl.endpoint.identification.algorithm="))...)
	for _, config := range []string{trusting(t, ca), trusting(t, ca, "ssl.endpoint.identification.algorithm=")} {
		out, ok := run(t, "", "doctor", "--bootstrap-server", elsewhere, "--command-config", config)
		if ok || !strings.Contains(out, "its certificate is for kafka.example.com, and not for "+host(elsewhere)) {
			t.Errorf("the doctor finds nothing:\n%s", out)
		}
	}
	ended := loopback.Free(t)
	expired := ca.IssueUntil(time.Now().Add(-time.Hour), "broker", host(ended))
	b = startBroker(t, ours(ended, expired, t.TempDir(), t)...)
	b.says(t, "has expired")
	if out, ok := run(t, "", "doctor", "--bootstrap-server", ended, "--command-config", trusting(t, ca)); ok || !strings.Contains(out, "has expired on") {
		t.Errorf("the doctor finds nothing:\n%s", out)
	}
	if out := refused(t, b, "expired", list(ended, trusting(t, ca))...); !strings.Contains(out, "expired") {
		t.Errorf("expired: %s", out)
	}
}

// TestMistakenStarts: a broker that can't speak TLS as it was told does not start, and says why.
func TestMistakenStarts(t *testing.T) {
	ca := certificates.NewAuthority(t, "CA")
	dir := t.TempDir()
	pem := certificates.Write(t, dir, "k.pem", ca.Issue("broker", "localhost").PEM())
	base := []string{"listeners=SSL://" + loopback.Free(t), "security.inter.broker.protocol=SSL", "log.dirs=" + t.TempDir(), "keeper.listener="}
	for _, c := range []struct {
		settings []string
		want     string
	}{
		{nil, "there is no key store"},
		{[]string{"ssl.keystore.location=" + dir + "/none", "ssl.keystore.password=x"}, "no such file"},
		{[]string{"ssl.keystore.location=" + pem, "ssl.keystore.password=x"}, "set it to PEM"},
		{[]string{"ssl.keystore.type=PEM", "ssl.keystore.location=" + pem, "ssl.cipher.suites=NONE"}, "NONE is none that Go's TLS has"},
		{[]string{"ssl.client.auth=perhaps"}, "ssl.client.auth"},
	} {
		b := launchBroker(t, nil, append(base, c.settings...)...)
		select {
		case <-b.exited:
		case <-time.After(patience):
			t.Fatalf("%v: it does not end\n%s", c.settings, b.output.Tail())
		}
		if b.command.ProcessState.ExitCode() == 0 || !b.output.Says(c.want) {
			t.Errorf("%v: it does not say %q\n%s", c.settings, c.want, b.output.Tail())
		}
	}
}

// commonName is whose certificate a broker shows now.
func commonName(t *testing.T, at string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// TestReload: a new file is served soon, a broken one is told of, and kafka-configs names another one.
func TestReload(t *testing.T) {
	ca := certificates.NewAuthority(t, "CA")
	at, dir := loopback.Free(t), t.TempDir()
	b := startBroker(t, append(ours(at, ca.Issue("first", host(at)), dir, t), "node.id=3")...)
	client := newClient(t, []string{at}, ca)
	produce(t, client, "a", "before")
	if who := commonName(t, at); who != "first" {
		t.Fatalf("it is %s", who)
	}
	certificates.Write(t, dir, "broker.pem", []byte("half"))
	b.says(t, "can't be read anew")
	if who := commonName(t, at); who != "first" {
		t.Fatalf("it is %s", who)
	}
	certificates.Write(t, dir, "broker.pem", ca.Issue("second", host(at)).PEM())
	launch.Await(t, patience, "the new certificate", b.output.Tail, func() bool { return commonName(t, at) == "second" })
	produce(t, client, "a", "after") // on the connection from before
	config := trusting(t, ca)
	alter := func(what ...string) []string {
		return append([]string{"kafka-configs.sh", "--bootstrap-server", at, "--command-config", config,
			"--entity-type", "brokers", "--entity-name", "3", "--alter"}, what...)
	}
	third := certificates.Write(t, dir, "third.pem", ca.Issue("third", host(at)).PEM())
	mustRun(t, "", alter("--add-config", "listener.name.ssl.ssl.keystore.location="+third)...)
	launch.Await(t, patience, "the certificate of the dynamic setting", b.output.Tail, func() bool { return commonName(t, at) == "third" })
	if out, ok := run(t, "", alter("--add-config", "ssl.keystore.location="+third)...); ok || !strings.Contains(out, "only per-listener") {
		t.Errorf("without a listener: %s", out)
	}
	if out, ok := run(t, "", alter("--add-config", "listener.name.ssl.ssl.keystore.location=/none")...); ok || !strings.Contains(out, "no such file") {
		t.Errorf("a file that is not there: %s", out)
	}
	mustRun(t, "", alter("--delete-config", "listener.name.ssl.ssl.keystore.location")...)
	launch.Await(t, patience, "the certificate of the file", b.output.Tail, func() bool { return commonName(t, at) == "second" })
}

func newClient(t *testing.T, seeds []string, ca *certificates.Authority, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate())
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(100),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func produce(t *testing.T, client *kgo.Client, topic string, values ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var records []*kgo.Record
	for _, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(value)})
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// TestTraffic: records of all sizes come back as they were sent, with TLS 1.3 and 1.2.
func TestTraffic(t *testing.T) {
	ca := certificates.NewAuthority(t, "CA")
	at := loopback.Free(t)
	startBroker(t, ours(at, ca.Issue("broker", host(at)), t.TempDir(), t)...)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate())
	for name, version := range map[string]uint16{"tls13": tls.VersionTLS13, "tls12": tls.VersionTLS12} {
		t.Run(name, func(t *testing.T) {
			client, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(100), kgo.ConsumeTopics(name),
				kgo.DialTLSConfig(&tls.Config{RootCAs: pool, MinVersion: version, MaxVersion: version}), kgo.ProducerBatchCompression(kgo.NoCompression()))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			var sent []string
			for i := range 300 {
				sent = append(sent, strings.Repeat(string(rune('a'+i%26)), i*i))
			}
			produce(t, client, name, sent...)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for next := 0; next < len(sent); {
				fetches := client.PollFetches(ctx)
				if err := fetches.Err0(); err != nil {
					t.Fatal(err)
				}
				fetches.EachRecord(func(r *kgo.Record) {
					if next >= len(sent) || string(r.Value) != sent[next] {
						t.Errorf("record %d is another one", next)
					}
					next++
				})
			}
		})
	}
}

// TestBrokersAmongThemselves: three brokers copy by TLS, each with a certificate that the others want, and go on when one dies.
func TestBrokersAmongThemselves(t *testing.T) {
	ca := certificates.NewAuthority(t, "CA")
	truststore := certificates.Write(t, t.TempDir(), "ca.pem", ca.PEM())
	keeper := loopback.Free(t)
	var brokers []*broker
	var seeds []string
	for id := range 3 {
		at, dir := loopback.Free(t), t.TempDir()
		settings := append(ours(at, ca.Issue("broker-"+strconv.Itoa(id), host(at)), dir, t),
			"broker.id="+strconv.Itoa(id), "log.dirs="+filepath.Join(dir, "data"), "ssl.client.auth=required",
			"ssl.truststore.type=PEM", "ssl.truststore.location="+truststore)
		if id == 0 {
			settings = append(settings, "keeper.listener="+keeper)
		} else {
			settings = append(settings, "zookeeper.connect="+keeper)
		}
		brokers, seeds = append(brokers, launchBroker(t, nil, settings...)), append(seeds, at)
	}
	for _, b := range brokers {
		b.ready(t)
	}
	own := certificates.Write(t, t.TempDir(), "client.pem", ca.Issue("client").PEM())
	config := trusting(t, ca, "ssl.keystore.type=PEM", "ssl.keystore.location="+own)
	tool := func(args ...string) []string {
		return append([]string{args[0], "--bootstrap-server", strings.Join(seeds, ","), "--command-config", config}, args[1:]...)
	}
	mustRun(t, "", tool("kafka-topics.sh", "--create", "--topic", "a", "--partitions", "3", "--replication-factor", "3", "--config", "min.insync.replicas=2")...)
	pair := ca.Issue("producer").TLS()
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate())
	client := newClient(t, seeds, ca, kgo.DialTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}))
	values := make([]string, 100)
	for i := range values {
		values[i] = strconv.Itoa(i)
	}
	produce(t, client, "a", values...)
	tails := func() string {
		var all bytes.Buffer
		for i, b := range brokers {
			fmt.Fprintf(&all, "broker %d:\n%s\n", i, b.output.Tail())
		}
		return all.String()
	}
	launch.Await(t, patience, "all copies to be in sync", tails, func() bool {
		return mustRun(t, "", tool("kafka-topics.sh", "--describe", "--under-replicated-partitions")...) == ""
	})
	brokers[2].command.Process.Signal(syscall.SIGKILL)
	<-brokers[2].exited // until then it may take a connection, and end it before its first answer
	produce(t, client, "a", values...)
	launch.Await(t, patience, "the dead one to be missed", tails, func() bool {
		return strings.Count(mustRun(t, "", tool("kafka-topics.sh", "--describe", "--topic", "a", "--under-replicated-partitions")...), "Topic: a") == 3
	})
}
