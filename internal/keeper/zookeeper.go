package keeper

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"barnabas/internal/zookeeper"
)

// probeWithin bounds the look at who listens at an address.
const probeWithin = 2 * time.Second

// zooVersion finds the version in ZooKeeper's answer to srvr.
var zooVersion = regexp.MustCompile(`Zookeeper version: ([0-9.]+)`)

// RealZooKeeper tells which of the addresses a real ZooKeeper listens at, with its version as far as it says that; empty
// if at none. It asks by a four-letter word, and disturbs nobody.
func RealZooKeeper(ctx context.Context, addresses []string) string {
	for _, address := range addresses {
		text := fourLetters(ctx, address, "srvr")
		switch found := zooVersion.FindStringSubmatch(text); {
		case strings.Contains(text, zookeeper.Mark): // a keeper's ZooKeeper face
		case found != nil:
			return fmt.Sprintf("%s (version %s)", address, found[1])
		case strings.Contains(text, "is not executed because it is not in the whitelist"),
			strings.Contains(text, "This ZooKeeper instance is not currently serving requests"):
			return address
		}
	}
	return ""
}

// fourLetters is what an address answers to one of ZooKeeper's four-letter words.
func fourLetters(ctx context.Context, address, word string) string {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, word); err != nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(conn, 4096))
	return string(text)
}
