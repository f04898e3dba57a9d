package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func (p properties) isSecurity(name string) bool {
	return name == "security.protocol" || name == "security.providers" ||
		strings.HasPrefix(name, "ssl.") || strings.HasPrefix(name, "sasl.")
}

// security maps security.protocol and what belongs to it.
func (p properties) security() ([]kgo.Opt, error) {
	protocol := p["security.protocol"]
	var opts []kgo.Opt
	switch protocol {
	case "", "PLAINTEXT":
		return nil, nil
	case "SSL", "SASL_SSL":
		config, err := p.tlsConfig()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	case "SASL_PLAINTEXT":
	default:
		return nil, sayf("Invalid value %s for configuration security.protocol: "+
			"must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", protocol)
	}
	if strings.HasPrefix(protocol, "SASL") {
		mechanism, err := p.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// tlsConfig reads the trust store and key store. Only PEM is read: JKS and PKCS12 are Java's.
func (p properties) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	trusted, err := p.store("ssl.truststore", "ssl.truststore.certificates")
	if err != nil {
		return nil, err
	}
	if trusted != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(trusted) {
			return nil, errors.New("ssl.truststore holds no certificate")
		}
	}
	chain, err := p.store("ssl.keystore", "ssl.keystore.certificate.chain")
	if err != nil {
		return nil, err
	}
	if chain != nil {
		key := chain
		if p["ssl.keystore.key"] != "" {
			key = []byte(p["ssl.keystore.key"])
		}
		pair, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return nil, fmt.Errorf("ssl.keystore: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if name, set := p["ssl.endpoint.identification.algorithm"]; set && name == "" {
		skipHostname(config)
	}
	return config, nil
}

// skipHostname keeps the check of the certificate chain and drops that of the host name, which is
// what an empty ssl.endpoint.identification.algorithm means.
func skipHostname(config *tls.Config) {
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		intermediates := x509.NewCertPool()
		for _, certificate := range state.PeerCertificates[1:] {
			intermediates.AddCert(certificate)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
			Roots: config.RootCAs, Intermediates: intermediates,
		})
		return err
	}
}

// store returns PEM text given inline, or read from the location; nil when neither is set.
func (p properties) store(prefix, inline string) ([]byte, error) {
	if p[inline] != "" {
		return []byte(p[inline]), nil
	}
	path := p[prefix+".location"]
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s.location: %w", prefix, err)
	}
	if block, _ := pem.Decode(data); block == nil {
		return nil, fmt.Errorf("%s.location: %s is no PEM file (%s.type=PEM is what is read here; "+
			"convert a JKS or PKCS12 store with keytool and openssl)", prefix, path, prefix)
	}
	return data, nil
}

var jaasOption = regexp.MustCompile(`([A-Za-z.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))`)

// mechanism reads sasl.mechanism with the user and password in sasl.jaas.config.
func (p properties) mechanism() (sasl.Mechanism, error) {
	jaas := map[string]string{}
	for _, match := range jaasOption.FindAllStringSubmatch(p["sasl.jaas.config"], -1) {
		value := match[3]
		if match[2] != "" {
			value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(match[2])
		}
		jaas[match[1]] = value
	}
	user, password := jaas["username"], jaas["password"]
	switch name := p["sasl.mechanism"]; name {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scramAuth(user, password, jaas).AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scramAuth(user, password, jaas).AsSha512Mechanism(), nil
	case "OAUTHBEARER":
		if token := jaas["oauth.token"]; token != "" {
			return oauth.Auth{Token: token}.AsMechanism(), nil
		}
		return nil, errors.New("sasl.mechanism OAUTHBEARER: give the token as oauth.token=… in " +
			"sasl.jaas.config")
	case "":
		return nil, errors.New("sasl.mechanism is not set: one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, " +
			"OAUTHBEARER")
	default:
		return nil, fmt.Errorf("sasl.mechanism %s is not supported: "+
			"one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER", name)
	}
}

func scramAuth(user, password string, jaas map[string]string) scram.Auth {
	return scram.Auth{User: user, Pass: password, IsToken: jaas["tokenauth"] == "true"}
}
