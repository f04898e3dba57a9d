package tlsstore

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// pemKeys reads the one private key of a PEM text, and its chain from another, or the same one. Kafka reads PKCS#8 alone; the older forms
// of openssl are read too.
func pemKeys(keyText, chainText, password []byte) ([]tls.Certificate, error) {
	var key crypto.PrivateKey
	for rest := keyText; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			continue
		}
		found, err := pemKey(block, password)
		switch {
		case err != nil:
			return nil, err
		case found == nil:
		case key != nil:
			return nil, errors.New("there is more than one private key in it")
		default:
			key = found
		}
	}
	if key == nil {
		return nil, errNoKey
	}
	certificates, err := pemCertificates(chainText)
	if err != nil {
		return nil, err
	}
	made, err := entry(key, certificates)
	if err != nil {
		return nil, err
	}
	return []tls.Certificate{made}, nil
}

// pemKey reads a block that is a private key; nil where it is something else, as EC PARAMETERS.
func pemKey(block *pem.Block, password []byte) (crypto.PrivateKey, error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("the private key is encrypted in the way of old versions of openssl, which is not read: openssl pkcs8 -topk8 converts it")
	}
	var key crypto.PrivateKey
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		if password == nil {
			return nil, errors.New("the private key is encrypted: ssl.key.password is missing")
		}
		key, err = decryptPKCS8(block.Bytes, password)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the private key: %w", err)
	}
	return key, nil
}

// pemCertificates reads all certificates of a PEM text; at least one.
func pemCertificates(text []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certificates)+1, err)
		}
		certificates = append(certificates, c)
	}
	if len(certificates) == 0 {
		return nil, errors.New("there is no certificate in it (PEM: -----BEGIN CERTIFICATE-----)")
	}
	return certificates, nil
}
