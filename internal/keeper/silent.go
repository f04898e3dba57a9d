package keeper

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
)

// WhySilent says of keepers, or of an etcd cluster with which TLS is spoken, that none has answered what keeps each from it, as far
// as a connection shows that. It takes two seconds at most.
func WhySilent(ctx context.Context, addresses []string, secured *tls.Config) string {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	reasons := make(chan [2]string)
	for _, address := range addresses {
		go func() { reasons <- [2]string{address, whySilent(ctx, address, secured)} }()
	}
	found := map[string]string{}
	for range addresses {
		r := <-reasons
		found[r[0]] = r[1]
	}
	var told []string
	for _, address := range addresses {
		told = append(told, address+" ("+found[address]+")")
	}
	return strings.Join(told, ", ")
}

func whySilent(ctx context.Context, address string, secured *tls.Config) string {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return brief(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if secured == nil {
		if greeted(conn) != nil && speaksTLS(ctx, address) {
			return "it speaks TLS, and this broker does not: set keeper.tls.enable=true, or keeper.tls.ca"
		}
		return notYet
	}
	if secured = secured.Clone(); secured.ServerName == "" {
		secured.ServerName, _, _ = net.SplitHostPort(address)
	}
	over := tls.Client(conn, secured)
	if err := over.HandshakeContext(ctx); err != nil && ctx.Err() == nil {
		return "TLS with it fails: " + err.Error()
	}
	// A server that wants another certificate of its client says so when the client takes the handshake for done (TLS 1.3).
	if err := greeted(over); err != nil && strings.Contains(err.Error(), "tls: ") {
		return "TLS with it fails: " + err.Error()
	}
	return notYet
}

const notYet = "it takes connections, and does not serve yet"

// greeted begins to speak as a client does, and waits for the first word.
func greeted(conn net.Conn) error {
	if _, err := conn.Write([]byte(http2Greeting)); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

// speaksTLS tells whether somebody at an address does, whoever it is.
func speaksTLS(ctx context.Context, address string) bool {
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", address) // nothing is told to them
	if err != nil {
		return strings.Contains(err.Error(), "remote error: tls: ")
	}
	conn.Close()
	return true
}
