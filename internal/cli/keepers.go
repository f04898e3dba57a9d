package cli

import (
	"context"
	"log/slog"
	"net"
	"strconv"

	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
)

// findBrokers asks a keeper ensemble for the addresses that its brokers advertise to clients with
// the protocol.
func findBrokers(ctx context.Context, keepers []string, chroot, protocol string) ([]string, error) {
	store, err := keeper.Dial(keeper.Remote{
		Servers: keepers, Chroot: chroot, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	brokers, err := metadata.Brokers(ctx, store)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, broker := range brokers {
		for _, endpoint := range broker.Endpoints {
			if endpoint.Protocol == protocol {
				addresses = append(addresses, net.JoinHostPort(endpoint.Host, strconv.Itoa(int(endpoint.Port))))
			}
		}
	}
	return addresses, nil
}
