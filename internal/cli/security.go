package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"barnabas/internal/tlsstore"
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
		material, err := tlsstore.Read(tlsstore.Settings(p))
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer(dialTLS(material, p.dialWithin())))
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

// dialWithin bounds a connection with its TLS handshake; unless it is given as kgo does for those without.
func (p properties) dialWithin() time.Duration {
	ms, err := strconv.ParseInt(strings.TrimSpace(p["socket.connection.setup.timeout.ms"]), 10, 32)
	if err != nil || ms <= 0 {
		return 10 * time.Second
	}
	return time.Duration(ms) * time.Millisecond
}

// dialTLS connects by TLS to brokers, whose certificates are to be for the hosts that are dialled.
func dialTLS(material *tlsstore.Material, within time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(conn, material.Client(host))
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("SSL handshake failed with %s: %w", address, err)
		}
		return secured, nil
	}
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
