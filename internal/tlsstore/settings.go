package tlsstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// Settings are ssl.* settings as they were written, by name. A name that is not there is not set.
type Settings map[string]string

// has reports whether a setting is there and not empty.
func (s Settings) has(name string) bool { return strings.TrimSpace(s[name]) != "" }

func (s Settings) text(name string) string { return strings.TrimSpace(s[name]) }

// secret is a password: white space counts.
func (s Settings) secret(name string) []byte {
	if s[name] == "" {
		return nil
	}
	return []byte(s[name])
}

// The kinds of stores.
const (
	kindPEM    = "PEM"
	kindJKS    = "JKS"
	kindPKCS12 = "PKCS12"
)

// kind is the type of a store as the settings give it; JKS is Kafka's default.
func (s Settings) kind(name string) (string, error) {
	switch kind := strings.ToUpper(s.text(name)); kind {
	case "":
		return kindJKS, nil
	case kindPEM, kindJKS, kindPKCS12:
		return kind, nil
	case "P12", "PFX":
		return kindPKCS12, nil
	default:
		return "", fmt.Errorf("%s: %s is not read here: PEM, PKCS12 and JKS are", name, s[name])
	}
}

// Material is what the settings and the files that they name hold. It is immutable.
type Material struct {
	// Keys are the entries of the key store, each with its chain and its Leaf; none where there is no key store.
	Keys []tls.Certificate
	// Trusted are the certificates of the trust store; nil means those of the system.
	Trusted []*x509.Certificate

	pool       *x509.CertPool
	clientAuth tls.ClientAuthType
	spoken     spoken
	checkNames bool
}

// Read reads the stores and checks all that is said of them. An error names the setting and says what is wrong with it.
func Read(s Settings) (*Material, error) {
	m := &Material{}
	var err error
	if m.Keys, err = s.keys(); err != nil {
		return nil, err
	}
	if m.Trusted, err = s.trusted(); err != nil {
		return nil, err
	}
	if m.Trusted != nil {
		m.pool = x509.NewCertPool()
		for _, certificate := range m.Trusted {
			m.pool.AddCert(certificate)
		}
	}
	switch auth := strings.ToLower(s.text("ssl.client.auth")); auth {
	case "", "none":
	case "requested":
		m.clientAuth = tls.VerifyClientCertIfGiven
	case "required":
		m.clientAuth = tls.RequireAndVerifyClientCert
	default:
		return nil, fmt.Errorf("ssl.client.auth: %s is none of none, requested, required", auth)
	}
	if m.spoken, err = s.spoken(); err != nil {
		return nil, err
	}
	m.checkNames, err = s.checksNames()
	return m, err
}

const identification = "ssl.endpoint.identification.algorithm"

func (s Settings) checksNames() (bool, error) {
	written, set := s[identification]
	switch {
	case !set, strings.EqualFold(strings.TrimSpace(written), "https"):
		return true, nil
	case strings.TrimSpace(written) == "":
		return false, nil
	}
	return false, fmt.Errorf("%s: %s is neither https nor empty", identification, written)
}

// keys reads the key store: nil where none is given.
func (s Settings) keys() ([]tls.Certificate, error) {
	kind, err := s.kind("ssl.keystore.type")
	if err != nil {
		return nil, err
	}
	key, chain, location := s.has("ssl.keystore.key"), s.has("ssl.keystore.certificate.chain"), s.has("ssl.keystore.location")
	password := s.secret("ssl.keystore.password")
	inline := key || chain
	switch {
	case inline && kind != kindPEM:
		return nil, fmt.Errorf("ssl.keystore.key and ssl.keystore.certificate.chain are PEM: set ssl.keystore.type=PEM, it is %s", kind)
	case key != chain:
		return nil, errors.New("ssl.keystore.key and ssl.keystore.certificate.chain are given together or not at all")
	case inline && location:
		return nil, errors.New("ssl.keystore.key and ssl.keystore.location are both given: one is enough")
	case kind == kindPEM && password != nil:
		return nil, errors.New("ssl.keystore.password: a key store of type PEM has no password of its own; ssl.key.password is that of its key")
	case !inline && !location && password != nil:
		return nil, errors.New("ssl.keystore.password is given without ssl.keystore.location")
	case inline:
		keys, err := pemKeys([]byte(s["ssl.keystore.key"]), []byte(s["ssl.keystore.certificate.chain"]), s.secret("ssl.key.password"))
		return named(keys, "ssl.keystore.key", err)
	case !location:
		return nil, nil
	case kind != kindPEM && password == nil:
		return nil, fmt.Errorf("ssl.keystore.password is missing: a key store of type %s has one", kind)
	}
	var data []byte
	for _, file := range keyFiles(s.text("ssl.keystore.location")) {
		part, err := readFile("ssl.keystore.location", file)
		if err != nil {
			return nil, err
		}
		if len(data) > 0 {
			data = append(data, '\n')
		}
		data = append(data, part...)
	}
	keys, err := ReadKeys(kind, data, password, s.secret("ssl.key.password"))
	return named(keys, "ssl.keystore.location: "+s.text("ssl.keystore.location"), err)
}

// trusted reads the trust store: nil where none is given.
func (s Settings) trusted() ([]*x509.Certificate, error) {
	kind, err := s.kind("ssl.truststore.type")
	if err != nil {
		return nil, err
	}
	inline, location := s.has("ssl.truststore.certificates"), s.has("ssl.truststore.location")
	password := s.secret("ssl.truststore.password")
	switch {
	case inline && kind != kindPEM:
		return nil, fmt.Errorf("ssl.truststore.certificates are PEM: set ssl.truststore.type=PEM, it is %s", kind)
	case inline && location:
		return nil, errors.New("ssl.truststore.certificates and ssl.truststore.location are both given: one is enough")
	case kind == kindPEM && password != nil:
		return nil, errors.New("ssl.truststore.password: a trust store of type PEM has none")
	case !inline && !location && password != nil:
		return nil, errors.New("ssl.truststore.password is given without ssl.truststore.location")
	case inline:
		certificates, err := pemCertificates([]byte(s["ssl.truststore.certificates"]))
		return named(certificates, "ssl.truststore.certificates", err)
	case !location:
		return nil, nil
	}
	data, err := readFile("ssl.truststore.location", s.text("ssl.truststore.location"))
	if err != nil {
		return nil, err
	}
	certificates, err := ReadTrusted(kind, data, password)
	return named(certificates, "ssl.truststore.location: "+s.text("ssl.truststore.location"), err)
}

func named[T any](value T, where string, err error) (T, error) {
	if err != nil {
		var none T
		return none, fmt.Errorf("%s: %w", where, err)
	}
	return value, nil
}
