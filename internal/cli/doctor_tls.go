package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"barnabas/internal/tlsstore"
)

// expiresSoon is when the end of a certificate is worth a word.
const expiresSoon = 30 * 24 * time.Hour

// certificates are what a TLS listener shows, whether this client accepts them or not; none where the client is told to speak no TLS.
func (d *doctor) certificates(ctx context.Context, address string) []*x509.Certificate {
	props, err := target{config: d.m.commandConfig}.properties()
	if err != nil || props["security.protocol"] != "SSL" && props["security.protocol"] != "SASL_SSL" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	var shown []*x509.Certificate
	config := (&tlsstore.Material{}).Client(host)
	config.MinVersion, config.MaxVersion = 0, 0
	config.VerifyConnection = func(state tls.ConnectionState) error {
		shown = state.PeerCertificates
		return nil
	}
	dialer := tls.Dialer{Config: config}
	if conn, err := dialer.DialContext(ctx, "tcp", address); err == nil {
		conn.Close()
	}
	return shown
}

// judgeCertificates says which certificates have ended or soon will, and whether the listener's is for the address that leads to it.
func (d *diagnosis) judgeCertificates(p probe, now time.Time) {
	if len(p.certificates) == 0 {
		return
	}
	for _, c := range p.certificates {
		left := c.NotAfter.Sub(now)
		name := fmt.Sprintf("the certificate of %s", c.Subject)
		switch {
		case left < 0:
			d.problem(p.where(), fmt.Sprintf("%s has expired on %s", name, c.NotAfter.Format(time.DateOnly)),
				"fails in the TLS handshake.", "put a new one into the broker's key store (ssl.keystore.location): it is read without a restart.")
		case left < expiresSoon:
			d.note(p.where(), fmt.Sprintf("%s expires on %s", name, c.NotAfter.Format(time.DateOnly)),
				"fails in the TLS handshake from then on.", "put a new one into the broker's key store (ssl.keystore.location): it is read without a restart.")
		case c.NotBefore.After(now):
			d.problem(p.where(), fmt.Sprintf("%s is valid from %s on", name, c.NotBefore.Format(time.RFC3339)),
				"fails in the TLS handshake until then.", "see which clock is wrong, or wait.")
		}
	}
	host, _, err := net.SplitHostPort(p.Address)
	if err != nil || tlsstore.Named(p.certificates[0], host) == nil {
		return
	}
	names := p.certificates[0].DNSNames
	for _, ip := range p.certificates[0].IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{p.certificates[0].Subject.CommonName}
	}
	d.problem(p.where(), fmt.Sprintf("its certificate is for %s, and not for %s", strings.Join(names, ", "), host),
		"fails in the TLS handshake, unless ssl.endpoint.identification.algorithm is empty.",
		fmt.Sprintf("have a certificate issued with that name, or that address, among its alternative names; or advertise one that it has in %s.", advertised))
}

// certificateFailure says why TLS was refused, by whom; false where it was something else.
func certificateFailure(p probe) (what, seen, mend string, is bool) {
	var invalid x509.CertificateInvalidError
	var refused *net.OpError
	switch {
	case errors.As(p.failure, &invalid):
		return "its certificate is not accepted: " + p.Failure, "fails in the TLS handshake.",
			"see whose clock is wrong, or have another certificate issued and put it into the broker's key store (ssl.keystore.location).", true
	case errors.As(p.failure, &refused) && refused.Op == alert:
		return "it refuses this client's TLS: " + p.Failure, "without the right certificate fails in the TLS handshake.",
			"where the listener has ssl.client.auth=required, give the client a key store (ssl.keystore.location) whose issuer is in the broker's ssl.truststore.location.", true
	}
	return "", "", "", false
}
