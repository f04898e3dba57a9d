package broker

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// takeNumber finds a number for a broker that was given none: that of its pod in a StatefulSet, or else the lowest one
// that nobody has, which it claims in the cluster before it uses it, for others may be looking at the same moment.
func (b *Broker) takeNumber(ctx context.Context) error {
	if id, ok := podOrdinal(b.environment(), os.Hostname); ok {
		b.id = id
		b.logger.Info("broker id taken from the pod's name, as none was given", "broker", int32(id))
		return nil
	}
	above := ident.BrokerID(config.ReservedBrokerMaxID.In(b.config.View()))
	return b.patiently(ctx, func() error {
		for {
			image, err := metadata.ReadImage(ctx, b.meta.store)
			if err != nil {
				return err
			}
			b.id = freeBrokerID(image, above)
			claimed, err := metadata.ClaimID(ctx, b.meta.store, b.registration())
			if err != nil {
				return err
			}
			if claimed {
				b.logger.Info("broker id taken, as none was given", "broker", int32(b.id))
				return nil
			}
		}
	})
}

// freeBrokerID is the lowest number above the reserved ones that no broker has or had, and no partition is assigned to:
// that of a broker that is down is not free.
func freeBrokerID(image *metadata.Image, reserved ident.BrokerID) ident.BrokerID {
	taken := map[ident.BrokerID]bool{}
	for _, broker := range append(image.Brokers(), image.Members()...) {
		taken[broker.ID] = true
	}
	for topic := range image.Topics() {
		for _, partition := range topic.Partitions() {
			for _, id := range partition.Replicas {
				taken[id] = true
			}
		}
	}
	id := reserved + 1
	for taken[id] {
		id++
	}
	return id
}

// maxOrdinalDigits keeps the random ends of the names of a Deployment's pods, five characters that may all be digits, from
// being taken for an ordinal.
const maxOrdinalDigits = 4

var errNoOrdinal = errors.New("not the name of a pod of a StatefulSet")

// podOrdinal is the number at the end of the pod's name, kafka-2, where this is a pod in Kubernetes: of what POD_NAME says, or else
// the host's name.
func podOrdinal(environment func(string) string, hostname func() (string, error)) (ident.BrokerID, bool) {
	if name := environment("POD_NAME"); name != "" {
		hostname = func() (string, error) { return name, nil }
	} else if environment("KUBERNETES_SERVICE_HOST") == "" {
		return ident.NoBroker, false
	}
	host, err := hostname()
	if err != nil {
		return ident.NoBroker, false
	}
	id, err := ordinalOf(host)
	return id, err == nil
}

func ordinalOf(host string) (ident.BrokerID, error) {
	name, _, _ := strings.Cut(host, ".")
	dash := strings.LastIndexByte(name, '-')
	digits := name[dash+1:]
	if dash < 1 || digits == "" || len(digits) > maxOrdinalDigits || len(digits) > 1 && digits[0] == '0' {
		return ident.NoBroker, errNoOrdinal
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return ident.NoBroker, errNoOrdinal
	}
	return ident.BrokerID(n), nil
}
