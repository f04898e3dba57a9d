package tlsstore

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxStore bounds the file of a store: those of operating systems, with all authorities of the world, have 200 KiB.
const maxStore = 16 << 20

func readFile(setting, path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxStore+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	if len(data) > maxStore {
		return nil, fmt.Errorf("%s: %s has more than %d bytes, and is no key store", setting, path, maxStore)
	}
	return data, nil
}

// keyFiles are what a key store's location stands for: a file, or of a directory, as which Kubernetes mounts a Secret of type
// kubernetes.io/tls, the key and the certificate in it.
func keyFiles(location string) []string {
	if info, err := os.Stat(location); err == nil && info.IsDir() {
		return []string{filepath.Join(location, "tls.key"), filepath.Join(location, "tls.crt")}
	}
	return []string{location}
}

var errNoKey = errors.New("there is no private key in it")

// ReadKeys reads the entries of a key store with their chains. The kind is PEM, JKS or PKCS12; as in Java, each of the last two is read
// for the other. The key's password is the store's where it is nil.
func ReadKeys(kind string, data, password, keyPassword []byte) ([]tls.Certificate, error) {
	if kind == kindPEM {
		return pemKeys(data, data, keyPassword)
	}
	var keys []tls.Certificate
	var err error
	switch formatOf(data) {
	case kindJKS:
		if keyPassword == nil {
			keyPassword = password
		}
		keys, err = jksKeys(data, password, keyPassword)
	case kindPKCS12:
		keys, err = pkcs12Keys(data, password)
	default:
		return nil, notOfKind(kind, data)
	}
	if err == nil && len(keys) == 0 {
		return nil, errNoKey
	}
	return keys, err
}

// ReadTrusted reads the certificates of a trust store. Without a password a JKS store is read unchecked, as in Java.
func ReadTrusted(kind string, data, password []byte) ([]*x509.Certificate, error) {
	if kind == kindPEM {
		return pemCertificates(data)
	}
	var certificates []*x509.Certificate
	var err error
	switch formatOf(data) {
	case kindJKS:
		certificates, err = jksTrusted(data, password)
	case kindPKCS12:
		certificates, err = pkcs12Trusted(data, password)
	default:
		return nil, notOfKind(kind, data)
	}
	if err == nil && len(certificates) == 0 {
		return nil, errors.New("there is no trusted certificate in it")
	}
	return certificates, err
}

const (
	magicJKS   = 0xfeedfeed
	magicJCEKS = 0xcececece
)

// formatOf recognises a store by its first bytes.
func formatOf(data []byte) string {
	switch {
	case len(data) >= 4 && binary.BigEndian.Uint32(data) == magicJKS:
		return kindJKS
	case len(data) > 1 && data[0] == 0x30: // a sequence of ASN.1
		return kindPKCS12
	}
	return ""
}

func notOfKind(kind string, data []byte) error {
	switch {
	case len(data) >= 4 && binary.BigEndian.Uint32(data) == magicJCEKS:
		return errors.New("it is a store of type JCEKS, which is not read here: convert it with keytool -importkeystore -deststoretype pkcs12")
	case bytes.Contains(data[:min(len(data), 4096)], []byte("-----BEGIN ")):
		return fmt.Errorf("it is PEM, and the type of the store is %s: set it to PEM", kind)
	}
	return fmt.Errorf("it is no store of type %s", kind)
}

// entry puts a key together with its chain: the certificate of the key first, then those that issued it, in order. Others are left
// out.
func entry(key crypto.PrivateKey, certificates []*x509.Certificate) (tls.Certificate, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("a private key of type %T can't sign", key)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return tls.Certificate{}, fmt.Errorf("a private key of type %T is not for TLS", key)
	}
	var leaf *x509.Certificate
	for _, c := range certificates {
		if public.Equal(c.PublicKey) {
			leaf = c
			break
		}
	}
	if leaf == nil {
		return tls.Certificate{}, errors.New("no certificate in it belongs to the private key")
	}
	made := tls.Certificate{PrivateKey: key, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for last := leaf; len(made.Certificate) <= len(certificates); {
		next := issuerOf(last, certificates)
		if next == nil {
			break
		}
		made.Certificate = append(made.Certificate, next.Raw)
		last = next
	}
	return made, nil
}

func issuerOf(c *x509.Certificate, among []*x509.Certificate) *x509.Certificate {
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		return nil // it has signed itself
	}
	for _, other := range among {
		if other != c && bytes.Equal(other.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(other) == nil {
			return other
		}
	}
	return nil
}
