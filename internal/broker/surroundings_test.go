package broker

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"barnabas/internal/metadata"
	"barnabas/internal/vfs"
	"barnabas/test/loopback"
)

// pod is a pod with an API server beside it that has some objects, and keeps the Events that it is sent.
type pod struct {
	account string
	env     map[string]string

	mu      sync.Mutex
	objects map[string]string // guarded by mu: JSON by path
	reasons []string          // guarded by mu: of the Events
}

func newPod(t *testing.T, objects map[string]string) *pod {
	p := &pod{account: t.TempDir(), objects: objects}
	server := httptest.NewTLSServer(p)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(at.Host)
	p.env = map[string]string{
		"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "POD_NAME": "kafka-7", "POD_NAMESPACE": "shop",
		"NODE_NAME": "worker-1", "HOST_IP": "192.0.2.7",
	}
	for name, text := range map[string]string{
		"token": "secret", "ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
	} {
		if err := os.WriteFile(filepath.Join(p.account, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *pod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	object, known := p.objects[r.URL.Path]
	switch {
	case r.Method == http.MethodPost:
		var event struct{ Reason string }
		_ = json.NewDecoder(r.Body).Decode(&event)
		p.reasons = append(p.reasons, event.Reason)
		w.WriteHeader(http.StatusCreated)
	case known:
		_, _ = io.WriteString(w, object)
	default:
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"reason":"Forbidden","message":"not for you"}`)
	}
}

func (p *pod) set(path, object string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.objects[path] = object
}

func (p *pod) events() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.reasons)
}

func (p *pod) told(t *testing.T, reason string) {
	t.Helper()
	awaitState(t, "the Event "+reason, func() bool { return slices.Contains(p.events(), reason) }, func() string { return strings.Join(p.events(), " ") })
}

// podWorld is a world whose brokers run in a pod.
func podWorld(t *testing.T, p *pod) *world {
	w := newWorld(t)
	w.pod = p
	return w
}

const service = `{"metadata":{"name":"kafka-7"},"spec":{"type":"NodePort","ports":[{"name":"outside","port":9094,"nodePort":PORT}]}}`

// TestBrokerInAPod: the number, the rack and the outside address come from Kubernetes, and it hears of the broker's life.
func TestBrokerInAPod(t *testing.T) {
	port := 31000
	p := newPod(t, map[string]string{
		"/api/v1/nodes/worker-1":                   `{"metadata":{"labels":{"topology.kubernetes.io/zone":"zone-b"}},"status":{"addresses":[{"type":"ExternalIP","address":"127.0.0.9"}]}}`,
		"/api/v1/namespaces/shop/services/kafka-7": strings.Replace(service, "PORT", strconv.Itoa(port), 1),
	})
	w := podWorld(t, p)
	b := w.start("listeners=PLAINTEXT://127.0.0.1:0,OUTSIDE://127.0.0.1:0", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OUTSIDE:PLAINTEXT",
		"inter.broker.listener.name=PLAINTEXT", "barnabas.outside.access=nodeport", "barnabas.advertised.check.interval.ms=0")
	me := b.feed.Current().Broker(b.id)
	outside, _ := me.Endpoint("OUTSIDE")
	if b.id != 7 || me.Rack != "zone-b" || outside.Host != "127.0.0.9" || outside.Port != 31000 {
		t.Errorf("registered as %+v", me)
	}
	p.told(t, "BrokerUp")
	// A load balancer's or node's address may change while the broker runs.
	p.set("/api/v1/namespaces/shop/services/kafka-7", strings.Replace(service, "PORT", "31001", 1))
	if !b.findOutside(t.Context()) {
		t.Error("another port is no change")
	}
	b.session.update(t.Context())
	awaitState(t, "the new address", func() bool {
		outside, _ := b.feed.Current().Broker(b.id).Endpoint("OUTSIDE")
		return outside.Port == 31001
	}, func() string { return b.addresses() })
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if got := p.events(); !slices.Contains(got, "BrokerDraining") {
		t.Errorf("events: %v", got)
	}
	w.disk = vfs.NewMem()
	w.start("barnabas.kubernetes.rack.label=")
	p.told(t, "BrokerReturnedEmpty")
}

// TestNumberlessInAPod: a broker claims a number before it knows what clients outside are told.
func TestNumberlessInAPod(t *testing.T) {
	p := newPod(t, map[string]string{})
	p.env["POD_NAME"] = "kafka-7d9c6b5f4-x2x5z"
	b := podWorld(t, p).start("listeners=PLAINTEXT://127.0.0.1:0,OUTSIDE://127.0.0.1:0", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OUTSIDE:PLAINTEXT",
		"inter.broker.listener.name=PLAINTEXT", "barnabas.outside.access=nodeport", "barnabas.outside.first.port=30901", "barnabas.advertised.check.interval.ms=0")
	if outside, _ := b.feed.Current().Broker(b.id).Endpoint("OUTSIDE"); b.id != 1 || outside.Port != 30902 || outside.Host != "192.0.2.7" {
		t.Errorf("broker %d is told to clients as %+v", b.id, outside)
	}
}

// TestOutsideUnknown: a listener whose address nobody tells is not advertised; the others are.
func TestOutsideUnknown(t *testing.T) {
	p := newPod(t, map[string]string{})
	w := podWorld(t, p)
	b := w.start("listeners=PLAINTEXT://127.0.0.1:0,OUTSIDE://127.0.0.1:0", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OUTSIDE:PLAINTEXT",
		"inter.broker.listener.name=PLAINTEXT", "barnabas.outside.access=loadbalancer", "barnabas.advertised.check.interval.ms=0")
	me := b.feed.Current().Broker(b.id)
	if _, there := me.Endpoint("OUTSIDE"); there || me.Rack != "" || len(me.Endpoints) != 1 {
		t.Errorf("registered as %+v", me)
	}
	p.told(t, "OutsideAddressUnknown")
	if warnings := strings.Join(b.warnings(), "\n"); !strings.Contains(warnings, "listener OUTSIDE is not advertised") || !strings.Contains(warnings, "403 Forbidden") {
		t.Errorf("warnings: %s", warnings)
	}
	response, err := http.Get("http://" + b.http.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(string(text), "ok\nwarning: listener OUTSIDE") {
		t.Errorf("/readyz: %d %s", response.StatusCode, text)
	}
}

func endpointAt(t *testing.T, address string) metadata.Endpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return metadata.Endpoint{Listener: "PLAINTEXT", Host: host, Port: int32(number), Protocol: "PLAINTEXT"}
}

// TestAdvertisedAddresses: a broker finds out that what it advertises is another's, another cluster's, or nobody's.
func TestAdvertisedAddresses(t *testing.T) {
	w := newWorld(t)
	first := w.start("broker.id=1")
	elsewhere := newWorld(t).start("broker.id=1")
	w.disk = vfs.NewMem()
	nobody := loopback.Free(t)
	second := w.start("broker.id=2", "barnabas.advertised.check.interval.ms=0")
	awaitState(t, "both brokers", func() bool { return second.feed.Current().NumBrokers() == 2 }, func() string { return "" })
	at := func(b *Broker) metadata.Endpoint { return b.endpoints()[0] }
	if err := second.prove(t.Context(), at(second)); err != nil {
		t.Errorf("its own: %v", err)
	}
	if err := second.prove(t.Context(), at(first)); !errors.Is(err, errMisled) || !strings.Contains(err.Error(), "it is broker 1") {
		t.Errorf("another broker's: %v", err)
	}
	if err := second.prove(t.Context(), at(elsewhere)); !errors.Is(err, errMisled) || !strings.Contains(err.Error(), "another cluster, "+elsewhere.cluster.String()) {
		t.Errorf("another cluster's: %v", err)
	}
	if err := second.prove(t.Context(), endpointAt(t, nobody)); err == nil || errors.Is(err, errMisled) {
		t.Errorf("nobody's: %v", err)
	}
}

// TestAddressThatMisleads is what is shown of an address that leads to another broker, until it does not any more.
func TestAddressThatMisleads(t *testing.T) {
	p := newPod(t, map[string]string{})
	w := newWorld(t)
	first := w.start("broker.id=1")
	w.disk, w.pod = vfs.NewMem(), p
	_, port, _ := net.SplitHostPort(first.Addresses()["PLAINTEXT"].String())
	second := w.start("broker.id=2", "advertised.listeners=PLAINTEXT://localhost:"+port, "barnabas.advertised.check.interval.ms=0")
	awaitState(t, "both brokers", func() bool { return second.feed.Current().NumBrokers() == 2 }, func() string { return "" })
	if second.proveAll(t.Context()) {
		t.Fatal("it leads here")
	}
	p.told(t, "AddressMisleads")
	if warnings := strings.Join(second.warnings(), "\n"); !strings.Contains(warnings, "it is broker 1") {
		t.Errorf("warnings: %s", warnings)
	}
	if rows := second.AdvertisedAddresses(); len(rows) != 1 || rows[0].Reachable {
		t.Errorf("metrics: %v", rows)
	}
	own := second.Addresses()["PLAINTEXT"].(*net.TCPAddr)
	second.config.Listeners[0].AdvertisedPort = own.Port
	if !second.proveAll(t.Context()) {
		t.Errorf("it does not lead here: %v", second.warnings())
	}
	if rows := second.AdvertisedAddresses(); len(rows) != 1 || !rows[0].Reachable || len(second.warnings()) != 0 {
		t.Errorf("metrics: %v, warnings: %v", rows, second.warnings())
	}
}

// TestUnreachableIsSaidWhenItLasts: one failure may be a Service that is not programmed yet.
func TestUnreachableIsSaidWhenItLasts(t *testing.T) {
	p := proof{err: errors.New("refused"), failed: 1}
	if p.told() != nil {
		t.Error("said at once")
	}
	p.failed = doubtful
	if p.told() == nil {
		t.Error("never said")
	}
}

// TestLossesAreToldByTheController, once.
func TestLossesAreToldByTheController(t *testing.T) {
	p := newPod(t, map[string]string{})
	b := podWorld(t, p).start()
	b.sayLosses(b.feed.Current(), []*metadata.Loss{{Topic: "orders", Partition: 3, Start: 10, End: 20, Cause: "all copies are gone"}})
	p.told(t, "RecordsLost")
}
