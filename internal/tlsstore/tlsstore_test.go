package tlsstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barnabas/test/certificates"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestStoresOfOthers reads what keytool of Java 17 and openssl 3 have written.
func TestStoresOfOthers(t *testing.T) {
	const password = certificates.Password
	for _, c := range []struct{ kind, file, password, key, want string }{
		{kindJKS, "keytool.jks", password, "otherpass", ""},
		{kindJKS, "keytool.jks", password, password, "the private key of a (ssl.key.password): the password is wrong"},
		{kindJKS, "keytool.jks", "wrong", "otherpass", "the password is wrong"},
		{kindPKCS12, "keytool.jks", password, "otherpass", ""}, // as in Java
		{kindJKS, "keytool.p12", password, "", ""},
		{kindPKCS12, "keytool.p12", password, "", ""},
		{kindPKCS12, "keytool.p12", "wrong", "", "the password is wrong"},
		{kindPKCS12, "openssl.p12", password, "", ""},
		{kindJKS, "cert.pem", password, "", "it is PEM, and the type of the store is JKS: set it to PEM"},
		{kindJKS, "keytool-trust.jks", password, "", "there is no private key in it"},
		{kindPKCS12, "keytool-trust.p12", password, "", "private key missing"},
		{kindPEM, "cert.pem", "", "", "there is no private key in it"},
	} {
		keys, err := ReadKeys(c.kind, testdata(t, c.file), []byte(c.password), Settings{"k": c.key}.secret("k"))
		judge(t, c.kind+" "+c.file+" "+c.key, err, c.want)
		if c.want == "" && (len(keys) != 1 || Named(keys[0].Leaf, "localhost") != nil) {
			t.Errorf("%s has %d keys", c.file, len(keys))
		}
	}
	for _, c := range []struct{ kind, file, password, want string }{
		{kindJKS, "keytool-trust.jks", password, ""},
		{kindJKS, "keytool-trust.jks", "", ""},
		{kindJKS, "keytool-trust.jks", "wrong", "the password is wrong"},
		{kindPKCS12, "keytool-trust.p12", password, ""},
		{kindPKCS12, "keytool-trust.p12", "wrong", "the password is wrong"},
		{kindPKCS12, "openssl.p12", password, "PKCS12:"},
		{kindPEM, "cert.pem", "", ""},
		{kindPEM, "aes256.pem", "", "there is no certificate in it"},
	} {
		_, err := ReadTrusted(c.kind, testdata(t, c.file), Settings{"k": c.password}.secret("k"))
		judge(t, c.kind+" "+c.file, err, c.want)
	}
}

func judge(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: the error is %v, and not %q", what, err, want)
	}
}

func TestEncryptedKeys(t *testing.T) {
	for _, c := range []struct{ file, password, want string }{
		{"aes256.pem", certificates.Password, ""},
		{"des3.pem", certificates.Password, ""},
		{"aes256.pem", "wrong", "the password is wrong"},
		{"aes256.pem", "", "ssl.key.password is missing"},
		{"pbes1.pem", certificates.Password, "PBES2 alone is read"},
		{"scrypt.pem", certificates.Password, "PBKDF2 alone is read"},
	} {
		_, err := Read(Settings{
			"ssl.keystore.type": "PEM", "ssl.keystore.key": string(testdata(t, c.file)),
			"ssl.keystore.certificate.chain": string(testdata(t, "cert.pem")), "ssl.key.password": c.password,
		})
		judge(t, c.file, err, c.want)
	}
}

// TestMistakes are settings that Kafka refuses too, and those that Go's TLS can't do.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	ca := certificates.NewAuthority(t, "CA")
	entry := ca.Issue("localhost", "localhost")
	pemFile := certificates.Write(t, dir, "a.pem", entry.PEM())
	for _, c := range []struct{ settings, want string }{
		{"ssl.keystore.type=PEM ssl.keystore.location=" + pemFile, ""},
		{"ssl.keystore.location=" + pemFile, "ssl.keystore.password is missing"},
		{"ssl.keystore.password=x ssl.keystore.location=" + pemFile, "it is PEM, and the type of the store is JKS"},
		{"ssl.keystore.type=PEM ssl.keystore.password=x ssl.keystore.location=" + pemFile, "has no password of its own"},
		{"ssl.keystore.type=PEM ssl.keystore.location=" + dir + "/none", "no such file"},
		{"ssl.keystore.key=x", "set ssl.keystore.type=PEM, it is JKS"},
		{"ssl.keystore.type=PEM ssl.keystore.key=x", "given together"},
		{"ssl.keystore.type=PEM ssl.keystore.key=x ssl.keystore.certificate.chain=y ssl.keystore.location=z", "both given"},
		{"ssl.keystore.password=x", "without ssl.keystore.location"},
		{"ssl.keystore.type=BCFKS", "BCFKS is not read here"},
		{"ssl.truststore.certificates=x", "set ssl.truststore.type=PEM"},
		{"ssl.truststore.type=PEM ssl.truststore.certificates=x", "no certificate"},
		{"ssl.truststore.type=PEM ssl.truststore.certificates=x ssl.truststore.location=y", "both given"},
		{"ssl.truststore.type=PEM ssl.truststore.location=y ssl.truststore.password=z", "has none"},
		{"ssl.truststore.password=x", "without ssl.truststore.location"},
		{"ssl.client.auth=maybe", "none of none, requested, required"},
		{"ssl.enabled.protocols=SSLv3", "SSLv3 is not spoken here"},
		{"ssl.enabled.protocols=TLSv1.1,TLSv1.3", "without TLSv1.2 can't be had"},
		{"ssl.protocol=SSLv3", "SSLv3 is not spoken here"},
		{"ssl.protocol=TLS", ""},
		{"ssl.cipher.suites=TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "none that Go's TLS has"},
		{"ssl.cipher.suites=TLS_AES_256_GCM_SHA384", "TLS 1.3 without TLS_AES_128_GCM_SHA256"},
		{"ssl.cipher.suites=TLS_AES_128_GCM_SHA256 ssl.enabled.protocols=TLSv1.2", "none of them is for a version"},
		{"ssl.cipher.suites=SSL_RSA_WITH_3DES_EDE_CBC_SHA", ""},
		{"ssl.endpoint.identification.algorithm=LDAPS", "neither https nor empty"},
	} {
		settings := Settings{}
		for _, word := range strings.Fields(c.settings) {
			name, value, _ := strings.Cut(word, "=")
			settings[name] = value
		}
		_, err := Read(settings)
		judge(t, c.settings, err, c.want)
	}
}

// meet has a client and a server shake hands, and returns what both ends say of it.
func meet(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, atServer, atClient error) {
	t.Helper()
	a, b := net.Pipe()
	deadline := time.Now().Add(time.Minute)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	served := make(chan error, 1)
	go func() {
		s := tls.Server(a, server)
		err := s.HandshakeContext(context.Background())
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		a.Close()
		served <- err
	}()
	c := tls.Client(b, client)
	atClient = c.Handshake()
	if atClient == nil {
		_, atClient = io.ReadFull(c, make([]byte, 1))
	}
	state = c.ConnectionState()
	b.Close()
	return state, <-served, atClient
}

func mustRead(t *testing.T, s Settings) *Material {
	t.Helper()
	m, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustServe(t *testing.T, s Settings) *tls.Config {
	t.Helper()
	config, err := mustRead(t, s).Server()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func keysOf(e *certificates.Entry, more ...string) Settings {
	s := Settings{"ssl.keystore.type": "PEM", "ssl.keystore.key": string(e.KeyPEM()), "ssl.keystore.certificate.chain": string(e.ChainPEM())}
	for i := 0; i < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	return s
}

func trust(ca *certificates.Authority, more ...string) Settings {
	s := Settings{"ssl.truststore.type": "PEM", "ssl.truststore.certificates": string(ca.PEM())}
	for i := 0; i < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	return s
}

func TestHandshakes(t *testing.T) {
	ca, other := certificates.NewAuthority(t, "CA"), certificates.NewAuthority(t, "other")
	broker := ca.Issue("broker", "localhost", "127.0.0.1")
	commonName := ca.Issue("by-common-name")
	expired := ca.IssueUntil(time.Now().Add(-time.Hour), "broker", "localhost")
	for _, c := range []struct {
		name           string
		server, client Settings
		to             []string
		want           string
	}{
		{"a name", keysOf(broker), trust(ca), []string{"localhost"}, ""},
		{"an address", keysOf(broker), trust(ca), []string{"127.0.0.1"}, ""},
		{"the second name", keysOf(broker), trust(ca), []string{"elsewhere", "127.0.0.1"}, ""},
		{"another name", keysOf(broker), trust(ca), []string{"elsewhere"}, "not elsewhere"},
		{"no name is asked for", keysOf(broker), trust(ca, identification, ""), []string{"elsewhere"}, ""},
		{"a common name", keysOf(commonName), trust(ca), []string{"by-common-name"}, ""},
		{"another common name", keysOf(commonName), trust(ca), []string{"localhost"}, "not localhost"},
		{"another authority", keysOf(broker), trust(other), []string{"localhost"}, "unknown authority"},
		{"nor without a name", keysOf(broker), trust(other, identification, ""), []string{"localhost"}, "unknown authority"},
		{"expired", keysOf(expired), trust(ca), []string{"localhost"}, "expired"},
		{"no common version", keysOf(broker, "ssl.enabled.protocols", "TLSv1.3"), trust(ca, "ssl.enabled.protocols", "TLSv1.2"), []string{"localhost"}, "protocol version"},
		{"a suite that is not named", keysOf(broker, "ssl.cipher.suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
			trust(ca, "ssl.enabled.protocols", "TLSv1.2", "ssl.cipher.suites", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), []string{"localhost"}, "handshake failure"},
	} {
		_, _, err := meet(t, mustServe(t, c.server), mustRead(t, c.client).Client(c.to...))
		judge(t, c.name, err, c.want)
	}
	state, _, err := meet(t, mustServe(t, keysOf(broker, "ssl.cipher.suites", "TLS_AES_128_GCM_SHA256")), mustRead(t, trust(ca)).Client("localhost"))
	if err != nil || state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Errorf("%s was agreed upon, %v", tls.CipherSuiteName(state.CipherSuite), err)
	}
}

func TestClientAuth(t *testing.T) {
	ca, other := certificates.NewAuthority(t, "CA"), certificates.NewAuthority(t, "other")
	broker := ca.Issue("broker", "localhost")
	stranger := mustRead(t, trust(ca)).Client("localhost") // that shows its certificate to who does not want it
	unwanted := other.Issue("stranger").TLS()
	stranger.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &unwanted, nil }
	client := func(e *certificates.Entry) *tls.Config {
		s := trust(ca)
		if e != nil {
			for name, value := range keysOf(e) {
				s[name] = value
			}
		}
		return mustRead(t, s).Client("localhost")
	}
	for _, c := range []struct {
		auth   string
		client *tls.Config
		want   string
	}{
		{"none", client(nil), ""},
		{"none", client(other.Issue("stranger")), ""},
		{"requested", client(nil), ""},
		{"requested", client(ca.Issue("friend")), ""},
		{"requested", client(other.Issue("stranger")), ""}, // which it does not show
		{"requested", stranger, "unknown authority"},
		{"required", client(nil), "didn't provide a certificate"},
		{"required", client(ca.Issue("friend")), ""},
		{"required", stranger, "unknown authority"},
	} {
		s := keysOf(broker, "ssl.client.auth", c.auth)
		for name, value := range trust(ca) {
			s[name] = value
		}
		_, err, _ := meet(t, mustServe(t, s), c.client)
		judge(t, c.auth, err, c.want)
	}
}

func TestServerWantsAKey(t *testing.T) {
	if _, err := mustRead(t, Settings{}).Server(); err == nil || !strings.Contains(err.Error(), "ssl.keystore.location") {
		t.Errorf("the error is %v", err)
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	ca := certificates.NewAuthority(t, "CA")
	path := certificates.Write(t, dir, "k.pem", ca.Issue("first", "localhost").PEM())
	live, err := Open(Settings{"ssl.keystore.type": "PEM", "ssl.keystore.location": path})
	if err != nil {
		t.Fatal(err)
	}
	server, err := live.Server()
	if err != nil {
		t.Fatal(err)
	}
	who := func() string {
		state, _, err := meet(t, server, mustRead(t, trust(ca)).Client("localhost"))
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].Subject.CommonName
	}
	look := func(changed bool, wrong string) {
		t.Helper()
		got, err := live.Look()
		if got != changed {
			t.Errorf("it has changed: %v", got)
		}
		judge(t, "look", err, wrong)
	}
	look(false, "")
	certificates.Write(t, dir, "k.pem", []byte("half a fi"))
	look(false, "no private key")
	look(false, "no private key")
	if who() != "first" {
		t.Error("what was there is not served on")
	}
	certificates.Write(t, dir, "k.pem", ca.Issue("second", "localhost").PEM())
	look(true, "")
	look(false, "")
	if who() != "second" {
		t.Error("the new one is not served")
	}
	other := certificates.Write(t, dir, "other.p12", ca.Issue("third", "localhost").PKCS12())
	settings := Settings{"ssl.keystore.type": "PKCS12", "ssl.keystore.location": other, "ssl.keystore.password": certificates.Password}
	if changed, err := live.Set(settings); !changed || err != nil || who() != "third" {
		t.Errorf("other settings: %v, %v", changed, err)
	}
	if changed, err := live.Set(settings); changed || err != nil {
		t.Errorf("the same settings: %v, %v", changed, err)
	}
	if _, err := live.Set(Settings{}); err == nil || who() != "third" {
		t.Errorf("no key store: %v", err)
	}
	os.Remove(other)
	if _, err := live.Look(); !errors.Is(err, os.ErrNotExist) || who() != "third" {
		t.Errorf("the file is gone: %v", err)
	}
}

// TestSecretOfKubernetes: a directory with tls.key and tls.crt, whose content a kubelet changes by the exchange of one link.
func TestSecretOfKubernetes(t *testing.T) {
	dir := t.TempDir()
	ca := certificates.NewAuthority(t, "CA")
	version := 0
	mount := func(name string) {
		t.Helper()
		version++
		into := fmt.Sprintf("..%d", version)
		if err := os.Mkdir(filepath.Join(dir, into), 0o755); err != nil {
			t.Fatal(err)
		}
		e := ca.Issue(name, "localhost")
		certificates.Write(t, filepath.Join(dir, into), "tls.key", bytes.TrimSpace(e.KeyPEM()))
		certificates.Write(t, filepath.Join(dir, into), "tls.crt", e.ChainPEM())
		for link, to := range map[string]string{"..next": into, "tls.key": "..data/tls.key", "tls.crt": "..data/tls.crt"} {
			if err := os.Symlink(to, filepath.Join(dir, link)); err != nil && !errors.Is(err, os.ErrExist) {
				t.Fatal(err)
			}
		}
		if err := os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	mount("first")
	live, err := Open(Settings{"ssl.keystore.type": "PEM", "ssl.keystore.location": dir})
	if err != nil {
		t.Fatal(err)
	}
	name := func() string { return live.Material().Keys[0].Leaf.Subject.CommonName }
	if changed, err := live.Look(); changed || err != nil || name() != "first" {
		t.Errorf("%s serves; it has changed: %v, %v", name(), changed, err)
	}
	mount("second")
	if changed, err := live.Look(); !changed || err != nil || name() != "second" {
		t.Errorf("%s serves after the change: %v, %v", name(), changed, err)
	}
	os.Remove(filepath.Join(dir, "tls.key"))
	if _, err := live.Look(); !errors.Is(err, os.ErrNotExist) || name() != "second" {
		t.Errorf("%s serves without a key: %v", name(), err)
	}
}

func TestNamesAndEnd(t *testing.T) {
	ca := certificates.NewAuthority(t, "CA")
	m := mustRead(t, keysOf(ca.Issue("c", "a.example", "10.0.0.1")))
	if m.Names() != "a.example, 10.0.0.1" || !m.Covers("10.0.0.1") || m.Covers("c") || !m.Expires().After(time.Now()) {
		t.Errorf("%s until %s", m.Names(), m.Expires())
	}
}

// FuzzStores reads anything as a store. What is read as keys must work as such.
func FuzzStores(f *testing.F) {
	for _, name := range []string{"keytool.jks", "keytool.p12", "keytool-trust.jks", "keytool-trust.p12", "openssl.p12", "cert.pem", "aes256.pem", "des3.pem"} {
		f.Add(testdata(f, name))
	}
	maxIterations = 20_000 // there are better things to find than time
	f.Fuzz(func(t *testing.T, data []byte) {
		password := []byte(certificates.Password)
		for _, kind := range []string{kindPEM, kindJKS} {
			keys, err := ReadKeys(kind, data, password, password)
			if err == nil && (len(keys) == 0 || keys[0].Leaf == nil || len(keys[0].Certificate) == 0) {
				t.Error("a key store without a key")
			}
			for _, p := range [][]byte{password, nil} {
				if trusted, err := ReadTrusted(kind, data, p); err == nil && len(trusted) == 0 {
					t.Error("a trust store without a certificate")
				}
			}
		}
	})
}
