package tlsstore

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// jksEntry is an entry of a Java key store: with a sealed key, or a trusted certificate alone.
type jksEntry struct {
	alias        string
	sealed       []byte
	certificates [][]byte
}

// jksReader reads numbers and strings, each bounded by what is left.
type jksReader struct {
	rest   []byte
	failed bool
}

func (r *jksReader) bytes(n uint64) []byte {
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *jksReader) short() uint64 {
	if b := r.bytes(2); b != nil {
		return uint64(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *jksReader) int() uint64 {
	if b := r.bytes(4); b != nil {
		return uint64(binary.BigEndian.Uint32(b))
	}
	return 0
}

// readJKS reads a store of format 1 or 2: magic, version, entries, and SHA-1 over a password, a phrase and all before.
func readJKS(data, password []byte) ([]jksEntry, error) {
	if len(data) < 3*4+sha1.Size {
		return nil, errDamaged
	}
	content, digest := data[:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	if password != nil {
		h := sha1.New()
		h.Write(javaPassword(password))
		h.Write([]byte("Mighty Aphrodite"))
		h.Write(content)
		if !bytes.Equal(h.Sum(nil), digest) {
			return nil, errBadPassword
		}
	}
	r := &jksReader{rest: content[4:]}
	version, count := r.int(), r.int()
	if version != 1 && version != 2 {
		return nil, fmt.Errorf("version %d of JKS is not known", version)
	}
	var entries []jksEntry
	for range count {
		const key, trusted = 1, 2
		tag := r.int()
		e := jksEntry{alias: string(r.bytes(r.short()))}
		r.bytes(8) // when it was made
		chain := uint64(1)
		switch {
		case r.failed:
			return nil, errDamaged
		case tag == key:
			e.sealed = r.bytes(r.int())
			chain = r.int()
		case tag != trusted:
			return nil, fmt.Errorf("an entry of kind %d is not known", tag)
		}
		for range chain {
			if version == 2 {
				r.bytes(r.short()) // X.509
			}
			if e.certificates = append(e.certificates, r.bytes(r.int())); r.failed {
				return nil, errDamaged
			}
		}
		entries = append(entries, e)
	}
	if len(r.rest) > 0 {
		return nil, errDamaged
	}
	return entries, nil
}

func jksKeys(data, password, keyPassword []byte) ([]tls.Certificate, error) {
	entries, err := readJKS(data, password)
	if err != nil {
		return nil, err
	}
	var keys []tls.Certificate
	for _, e := range entries {
		if e.sealed == nil {
			continue
		}
		key, err := unsealJKS(e.sealed, keyPassword)
		if err != nil {
			return nil, fmt.Errorf("the private key of %s (ssl.key.password): %w", e.alias, err)
		}
		chain, err := e.parse()
		if err != nil {
			return nil, err
		}
		made, err := entry(key, chain)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.alias, err)
		}
		keys = append(keys, made)
	}
	return keys, nil
}

func (e jksEntry) parse() ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for _, raw := range e.certificates {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("a certificate of %s: %w", e.alias, err)
		}
		list = append(list, c)
	}
	return list, nil
}

// jksTrusted are the trusted certificates and, as Java has it, those of the keys that are there.
func jksTrusted(data, password []byte) ([]*x509.Certificate, error) {
	entries, err := readJKS(data, password)
	if err != nil {
		return nil, err
	}
	var list []*x509.Certificate
	for _, e := range entries {
		chain, err := e.parse()
		if err != nil {
			return nil, err
		}
		list = append(list, chain[:min(len(chain), 1)]...)
	}
	return list, nil
}

// javaPassword is a password as Java hashes it: two bytes for each unit of UTF-16.
func javaPassword(password []byte) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(string(password))) {
		out = binary.BigEndian.AppendUint16(out, unit)
	}
	return out
}

// unsealJKS opens a key that Java's own protection has sealed: a salt, the key under a stream of chained SHA-1, and SHA-1 over password and key.
func unsealJKS(sealed, password []byte) (crypto.PrivateKey, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(sealed, &info); err != nil {
		return nil, errDamaged
	}
	if !info.Algorithm.Algorithm.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}) {
		return nil, errors.New("it is not protected in the way of JKS")
	}
	if len(info.Data) < 2*sha1.Size {
		return nil, errDamaged
	}
	secret := javaPassword(password)
	salt, body, check := info.Data[:sha1.Size], info.Data[sha1.Size:len(info.Data)-sha1.Size], info.Data[len(info.Data)-sha1.Size:]
	plain := make([]byte, len(body))
	for at, link := 0, salt; at < len(body); at += sha1.Size {
		sum := sha1.Sum(append(bytes.Clone(secret), link...))
		link = sum[:]
		for i := at; i < min(at+sha1.Size, len(body)); i++ {
			plain[i] = body[i] ^ link[i-at]
		}
	}
	if sum := sha1.Sum(append(bytes.Clone(secret), plain...)); !bytes.Equal(sum[:], check) {
		return nil, errBadPassword
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, err
	}
	return key, nil
}
