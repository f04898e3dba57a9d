package keeper_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"barnabas/internal/keeper"
)

// Who speaks TLS where the other end does not, or with a certificate that the other end does not take, is told so.
func TestWhySilentOverTLS(t *testing.T) {
	o, files := startOutside(t), certificates(t)
	stranger, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	own := o.tls.Clone()
	own.GetClientCertificate = stranger.GetClientCertificate
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go func() {
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "this is no TLS")
			conn.Close()
		}
	}()
	for _, c := range []struct {
		address string
		secured *tls.Config
		want    string
	}{
		{o.address, nil, "it speaks TLS, and this broker does not"},
		{o.address, stranger, "certificate signed by unknown authority"},
		{o.address, own, "TLS with it fails: remote error: tls: "},
		{o.address, o.tls, "it takes connections"},
		{plain.Addr().String(), o.tls, "does not look like a TLS handshake"},
		{plain.Addr().String(), nil, "it takes connections"},
	} {
		if got := keeper.WhySilent(t.Context(), []string{c.address}, c.secured); !strings.Contains(got, c.want) {
			t.Errorf("%q does not say %q", got, c.want)
		}
	}
}
