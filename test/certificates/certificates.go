// Package certificates makes what tests of TLS need: authorities, certificates by them, and stores in Kafka's three formats.
package certificates

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// Password is that of every store that this package writes.
const Password = "changeit"

// Authority issues certificates.
type Authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Entry is a key with its certificate and those that issued it.
type Entry struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	Leaf *x509.Certificate
	ca   *x509.Certificate
}

// NewAuthority makes an authority of a name.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key, a.cert = a.sign(template, nil, time.Now().Add(-time.Hour), time.Now().Add(2400*time.Hour))
	return a
}

// Certificate is the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// sign makes a certificate with a new key, by itself where there is no parent.
func (a *Authority) sign(template, parent *x509.Certificate, from, until time.Time) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = number, from, until
	signer := a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, c
}

// Issue makes a certificate for names and addresses; without any it has a common name alone.
func (a *Authority) Issue(common string, names ...string) *Entry {
	return a.IssueUntil(time.Now().Add(1000*time.Hour), common, names...)
}

// IssueUntil is Issue with an end, which may have been.
func (a *Authority) IssueUntil(until time.Time, common string, names ...string) *Entry {
	a.t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: common}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	e := &Entry{t: a.t, ca: a.cert}
	e.key, e.Leaf = a.sign(template, a.cert, until.Add(-2000*time.Hour), until)
	return e
}

// PKCS8 is the key.
func (e *Entry) PKCS8() []byte {
	e.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(e.key)
	if err != nil {
		e.t.Fatal(err)
	}
	return der
}

// KeyPEM and ChainPEM are the key and the chain as PEM.
func (e *Entry) KeyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: e.PKCS8()})
}

// ChainPEM is the certificate and its issuer's.
func (e *Entry) ChainPEM() []byte { return encode(e.Leaf, e.ca) }

func encode(list ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range list {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// PEM is a key store of type PEM.
func (e *Entry) PEM() []byte { return append(e.KeyPEM(), e.ChainPEM()...) }

// TLS is the entry as crypto/tls has it.
func (e *Entry) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{e.Leaf.Raw, e.ca.Raw}, PrivateKey: e.key, Leaf: e.Leaf}
}

// PKCS12 is a key store of that type.
func (e *Entry) PKCS12() []byte {
	e.t.Helper()
	data, err := pkcs12.Modern.Encode(e.key, e.Leaf, []*x509.Certificate{e.ca}, Password)
	if err != nil {
		e.t.Fatal(err)
	}
	return data
}

// JKS is a key store of that type, whose key has a password of its own.
func (e *Entry) JKS(keyPassword string) []byte {
	e.t.Helper()
	store := keystore.New()
	err := store.SetPrivateKeyEntry("broker", keystore.PrivateKeyEntry{
		CreationTime: time.Unix(1e9, 0), PrivateKey: e.PKCS8(),
		CertificateChain: []keystore.Certificate{{Type: "X509", Content: e.Leaf.Raw}, {Type: "X509", Content: e.ca.Raw}},
	}, []byte(keyPassword))
	if err != nil {
		e.t.Fatal(err)
	}
	return written(e.t, store)
}

func written(t testing.TB, store keystore.KeyStore) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := store.Store(&out, []byte(Password)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// PEM is a trust store of type PEM with the authority in it.
func (a *Authority) PEM() []byte { return encode(a.cert) }

// PKCS12 is a trust store of that type.
func (a *Authority) PKCS12() []byte {
	a.t.Helper()
	data, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{a.cert}, Password)
	if err != nil {
		a.t.Fatal(err)
	}
	return data
}

// JKS is a trust store of that type.
func (a *Authority) JKS() []byte {
	a.t.Helper()
	store := keystore.New()
	err := store.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{
		CreationTime: time.Unix(1e9, 0), Certificate: keystore.Certificate{Type: "X509", Content: a.cert.Raw},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return written(a.t, store)
}

// Write puts data into a file of a directory, all at once, and returns its path.
func Write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}
