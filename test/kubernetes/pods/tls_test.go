package pods

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barnabas/test/kubernetes/pods/lan"
	"barnabas/test/kubernetes/pods/objects"
)

// issuer makes certificates for one test.
type issuer struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	made int64
}

// issue makes a certificate, as PEM; the first one is the issuer's own.
func (i *issuer) issue(name string, hosts ...string) (key, certificate string) {
	i.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.made++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(i.made), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	by, byKey := i.cert, i.key
	if by == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		by, byKey = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, private.Public(), byKey)
	if err != nil {
		i.t.Fatal(err)
	}
	if i.cert == nil {
		if i.cert, err = x509.ParseCertificate(der); err != nil {
			i.t.Fatal(err)
		}
		i.key = private
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		i.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// secret applies a Secret as cert-manager makes it.
func (w *world) secret(name, key, certificate, authority string) {
	w.t.Helper()
	text := "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: " + name + "}\nstringData:\n"
	for file, content := range map[string]string{"tls.key": key, "tls.crt": certificate, "ca.crt": authority} {
		text += "  " + file + ": |\n    " + strings.ReplaceAll(strings.TrimSpace(content), "\n", "\n    ") + "\n"
	}
	set, err := objects.Read([]byte(text), namespace)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Apply(set)
}

// shown is the serial number of the certificate that a broker shows to a client outside; zero is none.
func (w *world) shown(address string, config *tls.Config) int64 {
	conn, err := lan.Dial(w.t.Context(), w.Outside(), address, patience)
	if err != nil {
		return 0
	}
	secured := tls.Client(conn, config)
	defer secured.Close()
	if secured.HandshakeContext(w.context()) != nil {
		return 0
	}
	return secured.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// One value of the chart: clients outside come by TLS and show certificates, those inside too, and without TLS nobody comes but brokers and keepers.
// A new certificate in the Secret is served without a restart; then all brokers are restarted.
func TestTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ca := &issuer{t: t}
	_, authority := ca.issue("authority")
	hosts := []string{"192.168.11.113", "192.168.11.114", "192.168.11.115", "*.queue-barnabas-broker." + namespace + ".svc", "queue-barnabas"}
	key, certificate := ca.issue("brokers", hosts...)
	w.secret("certificates", key, certificate, authority)
	w.install(map[string]any{
		"tls":     map[string]any{"enabled": true, "secretName": "certificates", "clientAuth": "required"},
		"brokers": map[string]any{"settings": map[string]any{"barnabas.ssl.reload.interval.ms": 500}},
	})
	w.chartReady("installed")

	dir := t.TempDir()
	own, shown := ca.issue("client")
	for name, text := range map[string]string{"ca.pem": authority, "client.pem": own + shown} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bootstrap := w.nodePorts("queue-barnabas-outside")
	l := w.startLoad("-bootstrap", bootstrap, "-create", "-partitions", "1", "-ca", filepath.Join(dir, "ca.pem"), "-pair", filepath.Join(dir, "client.pem"))
	l.flows(200, "by TLS")
	l.mark("installed")

	pair, err := tls.X509KeyPair([]byte(shown), []byte(own))
	if err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	trust.AddCert(ca.cert)
	first, _, _ := strings.Cut(bootstrap, ",")
	config := &tls.Config{RootCAs: trust, Certificates: []tls.Certificate{pair}, ServerName: "192.168.11.113"}
	if serial := w.shown(first, config); serial != 2 {
		t.Errorf("the certificate shown is %d, not the second that was made", serial)
	}
	key, certificate = ca.issue("brokers", hosts...)
	w.secret("certificates", key, certificate, authority)
	for _, broker := range []string{"queue-barnabas-broker-0", "queue-barnabas-broker-1", "queue-barnabas-broker-2"} {
		s, err := w.Service(namespace, broker)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range w.GetPods() {
			if p.Name == broker {
				address := fmt.Sprintf("%s:%d", w.host(p.Node), s.Spec.Ports[0].NodePort)
				w.await(broker+" to show the new certificate", func() bool { return w.shown(address, config) == ca.made })
			}
		}
	}
	l.flows(200, "with a new certificate")

	w.deployClient("client")
	w.connects("client", "queue-barnabas-broker-1", 9092, false)
	w.connects("client", "queue-barnabas-broker-1", 9093, true)
	w.restarted(l, "queue-barnabas-broker", 200)
	w.noneMisleads()
}

// host is the address of one.
func (w *world) host(name string) string {
	addresses := map[string]string{"master": "192.168.11.113", "node1": "192.168.11.114", "node2": "192.168.11.115"}
	return addresses[name]
}
