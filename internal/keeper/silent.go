package keeper

import (
	"context"
	"net"
	"strings"
)

// WhySilent says of keepers that none has answered what keeps each from it, as far as a connection shows that. It takes
// two seconds at most.
func WhySilent(ctx context.Context, addresses []string) string {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	reasons := make(chan [2]string)
	for _, address := range addresses {
		go func() { reasons <- [2]string{address, whySilent(ctx, address)} }()
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

func whySilent(ctx context.Context, address string) string {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return brief(err)
	}
	conn.Close()
	return "it takes connections, and does not serve yet"
}
