package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tlsSuite is what all systems speak: the one that Go's TLS takes first. Java's would take TLS_AES_256_GCM_SHA384.
const tlsSuite = "TLS_AES_128_GCM_SHA256"

// tlsScheme begins an address at which TLS is spoken.
const tlsScheme = "tls://"

const keystoreSetting = "ssl.keystore.location="

// tlsSettings have the one listener of a node speak TLS.
func tlsSettings(keys string) []string {
	return []string{
		"listener.security.protocol.map=PLAINTEXT:SSL,CONTROLLER:PLAINTEXT", "inter.broker.listener.name=PLAINTEXT",
		"ssl.keystore.type=PEM", keystoreSetting + keys, "ssl.enabled.protocols=TLSv1.3", "ssl.cipher.suites=" + tlsSuite,
		"ssl.truststore.type=PEM", "ssl.truststore.location=" + keys, // Kafka wants to trust itself
	}
}

// keystoreOf is the key store that settings name; empty where they are without TLS.
func keystoreOf(settings []string) string {
	for _, s := range settings {
		if file, ok := strings.CutPrefix(s, keystoreSetting); ok {
			return file
		}
	}
	return ""
}

// makeKeystore writes a key and a certificate for this machine, as PEM.
func makeKeystore(dir string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	text := slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
	file := filepath.Join(dir, "keys.pem")
	return file, os.WriteFile(file, text, 0o600)
}

// readyTLS is ready with a listener that speaks TLS.
func readyTLS(s system) (n *node, end func(), err error) {
	dir, err := os.MkdirTemp("", "barnabas-bench-tls")
	if err != nil {
		return nil, nil, err
	}
	keys, err := makeKeystore(dir)
	if err == nil {
		n, err = ready(s, streamPartitions, tlsSettings(keys)...)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, nil, err
	}
	return n, func() {
		n.close()
		_ = os.RemoveAll(dir)
	}, nil
}

// measureTLSProduce is measureProduce of 1 KiB by TLS.
func measureTLSProduce(s system) (figures, error) {
	n, end, err := readyTLS(s)
	if err != nil {
		return nil, err
	}
	defer end()
	return n.produceAll(fetchValue)
}

// measureTLSFetch is measureFetch by TLS.
func measureTLSFetch(s system) (figures, error) {
	n, end, err := readyTLS(s)
	if err != nil {
		return nil, err
	}
	defer end()
	return n.catchUp(scaled(tlsFetchedBytes))
}

// tlsFetchedBytes is less than without TLS, which takes longer.
const tlsFetchedBytes = 3 << 30

// dialTLS connects, as fast as Go's TLS can be: the generator is the client of all systems.
func dialTLS(address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, DynamicRecordSizingDisabled: true,
	}}
	c, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(address, tlsScheme))
	if err != nil {
		return nil, err
	}
	if suite := tls.CipherSuiteName(c.(*tls.Conn).ConnectionState().CipherSuite); suite != tlsSuite {
		_ = c.Close()
		return nil, fmt.Errorf("%s was agreed upon, and not %s", suite, tlsSuite)
	}
	return c, nil
}

// securedConnection is connection by TLS.
func (r *reading) securedConnection(number, bytes int) (read int, err error) {
	c, err := dialTLS(r.node.address())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_, isLimit := r.node.system.(limit)
	scratch := make([]byte, tlsScratch)
	for at := number * r.perPartition / streamConnections; read < bytes; at++ {
		if _, err := c.Write(r.frame(r.first + at%(r.perPartition-r.first))); err != nil {
			return read, err
		}
		if _, err := io.ReadFull(c, scratch[:sizeBytes+sizeBytes]); err != nil {
			return read, err
		}
		size := int(binary.BigEndian.Uint32(scratch)) + sizeBytes
		for left := size - 2*sizeBytes; left > 0; {
			n, err := c.Read(scratch[:min(left, len(scratch))])
			if err != nil {
				return read, err
			}
			left -= n
		}
		if want := r.load.batch * streamPartitions; !isLimit && size < want {
			return read, fmt.Errorf("an answer of %d bytes, less than %d", size, want)
		}
		read += size
	}
	return read, nil
}

// tlsScratch is what is read at once: a record.
const tlsScratch = 16 << 10

// serverTLS is how the limit server speaks it.
func serverTLS(keys string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(keys, keys)
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}, err
}
