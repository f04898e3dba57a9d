package keeper

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSFiles are PEM files for TLS with an etcd cluster; each may be empty.
type TLSFiles struct {
	// CA has the certificates that may sign the servers'; empty is the system's.
	CA string
	// Certificate and Key are the client's own.
	Certificate, Key string
}

// Config reads the files. The client's own are read anew for each connection, so that they can be replaced while
// the process runs.
func (f TLSFiles) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, err
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", f.CA)
		}
	}
	if f.Certificate == "" {
		return c, nil
	}
	if _, err := f.own(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return f.own() }
	return c, nil
}

func (f TLSFiles) own() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", f.Certificate, f.Key, err)
	}
	return &pair, nil
}
