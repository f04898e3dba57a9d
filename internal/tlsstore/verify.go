package tlsstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// config is what both ends have in common.
func (m *Material) config() *tls.Config {
	return &tls.Config{
		MinVersion: m.spoken.min, MaxVersion: m.spoken.max, CipherSuites: m.spoken.suites,
		// Records of full size from the first: what is sent here is batches, not pages of the Web.
		DynamicRecordSizingDisabled: true,
	}
}

// checkSuite refuses what ssl.cipher.suites does not name.
func (m *Material) checkSuite(state tls.ConnectionState) error {
	if m.spoken.only == nil || state.Version < tls.VersionTLS13 || slices.Contains(m.spoken.only, state.CipherSuite) {
		return nil
	}
	return fmt.Errorf("%s was agreed upon, and ssl.cipher.suites does not name it", tls.CipherSuiteName(state.CipherSuite))
}

// Server is the configuration of a listener. The error is that of settings without a key.
func (m *Material) Server() (*tls.Config, error) {
	if len(m.Keys) == 0 {
		return nil, errors.New("there is no key store: set ssl.keystore.location, or ssl.keystore.key and ssl.keystore.certificate.chain")
	}
	config := m.config()
	config.Certificates, config.ClientAuth, config.ClientCAs = m.Keys, m.clientAuth, m.pool
	config.VerifyConnection = m.checkSuite
	// A session that is resumed brings back a client that was judged before: by a trust store that may have been replaced.
	config.SessionTicketsDisabled = m.clientAuth != tls.NoClientCert
	return config, nil
}

// Client is the configuration to connect to a server whose certificate is to be for one of the names; the first is told to it (SNI).
func (m *Material) Client(names ...string) *tls.Config {
	config := m.config()
	config.Certificates = m.Keys
	if len(names) > 0 {
		config.ServerName = names[0]
	}
	config.InsecureSkipVerify = true // the next line does it, as Java does
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if err := m.checkSuite(state); err != nil {
			return err
		}
		if err := m.checkChain(state.PeerCertificates); err != nil || !m.checkNames {
			return err
		}
		return checkName(state.PeerCertificates[0], names)
	}
	return config
}

// checkChain verifies that a trusted certificate has issued the server's.
func (m *Material) checkChain(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("the server has no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: m.pool, Intermediates: intermediates})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

// checkName looks whether a certificate is for one of the names. The error is that of the first.
func checkName(c *x509.Certificate, names []string) error {
	first := errors.New("the server has no name to look for in its certificate")
	for i, name := range names {
		err := Named(c, name)
		if err == nil {
			return nil
		}
		if i == 0 {
			first = err
		}
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{c}, Err: first}
}

// Named reports, by its error, whether a certificate is for a host name or an address. As in Java and in openssl, the common name of one
// without alternative names for hosts counts.
func Named(c *x509.Certificate, name string) error {
	err := c.VerifyHostname(name)
	if err == nil || len(c.DNSNames) > 0 || c.Subject.CommonName == "" {
		return err
	}
	common := *c
	common.DNSNames = []string{c.Subject.CommonName}
	if common.VerifyHostname(name) != nil {
		return x509.HostnameError{Certificate: &common, Host: name}
	}
	return nil
}

// Expires is when the first certificate of the key store, or of those that issued it, ends; zero where there is none.
func (m *Material) Expires() time.Time {
	var first time.Time
	for _, key := range m.Keys {
		for _, raw := range key.Certificate {
			if c, err := x509.ParseCertificate(raw); err == nil && (first.IsZero() || c.NotAfter.Before(first)) {
				first = c.NotAfter
			}
		}
	}
	return first
}

// Names are what the certificates of the key store are for.
func (m *Material) Names() string {
	var names []string
	for _, key := range m.Keys {
		names = append(names, namesOf(key.Leaf)...)
	}
	return strings.Join(names, ", ")
}

func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = append(names, "CN="+c.Subject.CommonName)
	}
	return names
}

// Covers reports whether any certificate of the key store is for a name.
func (m *Material) Covers(name string) bool {
	return slices.ContainsFunc(m.Keys, func(key tls.Certificate) bool { return Named(key.Leaf, name) == nil })
}
