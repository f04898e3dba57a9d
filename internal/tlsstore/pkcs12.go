package tlsstore

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"software.sslmate.com/src/go-pkcs12"
)

func pkcs12Keys(data, password []byte) ([]tls.Certificate, error) {
	if err := checkIterations(data); err != nil {
		return nil, err
	}
	key, certificate, others, err := pkcs12.DecodeChain(data, string(password))
	if err != nil {
		return nil, pkcs12Error(err)
	}
	made, err := entry(key, append([]*x509.Certificate{certificate}, others...))
	if err != nil {
		return nil, err
	}
	return []tls.Certificate{made}, nil
}

func pkcs12Trusted(data, password []byte) ([]*x509.Certificate, error) {
	if err := checkIterations(data); err != nil {
		return nil, err
	}
	certificates, err := pkcs12.DecodeTrustStore(data, string(password))
	if err != nil {
		return nil, pkcs12Error(err)
	}
	return certificates, nil
}

func pkcs12Error(err error) error {
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return errBadPassword
	}
	return fmt.Errorf("PKCS12: %w", err)
}

// checkIterations refuses a store that asks for more work than anybody's does: a number that follows upon a salt. What is encrypted
// comes after a check of the password.
func checkIterations(der []byte) error { return walkDER(der, maxDepth) }

// maxDepth bounds how deep values lie in others.
const maxDepth = 32

func walkDER(der []byte, depth int) error {
	salted := false
	for len(der) > 0 {
		var value asn1.RawValue
		rest, err := asn1.Unmarshal(der, &value)
		if err != nil {
			return nil // no DER: bytes of a string
		}
		der = rest
		isNumber := value.Class == asn1.ClassUniversal && value.Tag == asn1.TagInteger
		if salted && isNumber && new(big.Int).SetBytes(value.Bytes).Cmp(big.NewInt(int64(maxIterations))) > 0 {
			return fmt.Errorf("it asks for more than %d iterations", maxIterations)
		}
		salted = value.Class == asn1.ClassUniversal && value.Tag == asn1.TagOctetString
		if (value.IsCompound || salted) && depth > 0 {
			if err := walkDER(value.Bytes, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}
