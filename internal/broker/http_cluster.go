package broker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/overview"
)

// What Kafka's protocol has no request for is told over HTTP (package overview): the cluster's brokers, what was lost, and what
// would be at risk without a broker. `barnabas cluster` asks for it. Any broker answers for the whole cluster, from its image.

// clusterHandler serves /cluster/.
func (b *Broker) clusterHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cluster/status", func(w http.ResponseWriter, _ *http.Request) {
		status := statusOf(b.feed.Current(), b.settings)
		status.Declared = b.declared.current()
		if gone := b.gone.Load(); gone != nil {
			status.Keepers = gone.String()
		}
		writeJSON(w, http.StatusOK, status)
	})
	mux.HandleFunc("GET /cluster/losses", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, lossesOf(b.feed.Current()))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := b.ready.err(); err != nil { // there is no image yet, or not for long any more
			writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": err.Error()})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // the client has gone: nobody is left to tell
}

func statusOf(image *metadata.Image, settings *settings) overview.Status {
	s := overview.Status{
		Cluster: image.ClusterID().String(), Controller: int32(image.ControllerID()),
		Topics: image.NumTopics(), Losses: image.NumLosses(),
	}
	leads, holds := map[ident.BrokerID]int{}, map[ident.BrokerID]int{}
	for topic := range image.Topics() {
		view := settings.topic(image, topic.Name)
		for _, p := range topic.Partitions() {
			s.Partitions++
			leads[p.Leader]++
			for _, id := range p.Replicas {
				holds[id]++
			}
			replicas := len(p.Replicas) - len(p.Adding)
			s.Offline += int(one(p.Leader == ident.NoBroker))
			s.Asking += int(one(p.Inquiry != metadata.NoInquiry))
			s.UnderReplicated += int(one(len(p.ISR) < replicas))
			s.UnderMinISR += int(one(len(p.ISR) < min(replicas, config.MinISR(view, replicas))))
			s.Reassigning += int(one(p.Reassigning()))
		}
	}
	for _, m := range image.Members() {
		s.Brokers = append(s.Brokers, brokerStatusOf(image, m, leads[m.ID], holds[m.ID]))
	}
	return s
}

func brokerStatusOf(image *metadata.Image, m *metadata.Broker, leads, holds int) overview.Broker {
	status := overview.Broker{
		ID: int32(m.ID), State: "down", Rack: m.Rack, Address: fmt.Sprintf("%s:%d", m.Internal.Host, m.Internal.Port), Stores: len(m.Stores), Failed: m.Failed,
		Successor: image.Successor(m.ID) != nil, Leads: leads, Replicas: holds, Version: m.Version,
	}
	if b := image.Broker(m.ID); b != nil {
		status.State = "up"
		if b.Leaving {
			status.State = "leaving"
		}
	}
	return status
}

func lossesOf(image *metadata.Image) []overview.Loss {
	losses := []overview.Loss{}
	for l := range image.Losses() {
		losses = append(losses, overview.Loss{
			Topic: l.Topic, Partition: l.Partition, Start: int64(l.Start), End: int64(l.End), Kind: string(l.Kind),
			LeaderEpoch: int32(l.LeaderEpoch), At: time.UnixMilli(l.AtMs).UTC(), Cause: l.Cause,
		})
	}
	return losses
}
