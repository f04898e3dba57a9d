package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/kubernetes"
	"barnabas/internal/metadata"
)

// surroundings is what the broker knows of the Kubernetes cluster around it, where there is one, and its voice there.
type surroundings struct {
	pod    kubernetes.Pod
	inside bool               // this is a pod
	client *kubernetes.Client // nil where there is no service account
	why    error              // client is nil
	events *kubernetes.Recorder
	logger *slog.Logger
	zone   string
	// outside is what clients outside are told, nil while it is not known.
	outside atomic.Pointer[outsideAddress]
}

type outsideAddress struct {
	host string
	port int
}

const (
	// lookWithin bounds what a start waits for the API server.
	lookWithin = 3 * time.Second
	// lastWords bounds how long a stop waits for Events to be written.
	lastWords = 2 * time.Second
)

// newSurroundings is what the process was told by its pod. The API server is not asked yet.
func (b *Broker) newSurroundings() *surroundings {
	environment, account := b.environment(), b.options.Account
	if account == "" {
		account = kubernetes.AccountDir
	}
	s := &surroundings{logger: b.logger}
	if s.pod, s.inside = kubernetes.Here(environment, account); !s.inside {
		return s
	}
	s.client, s.why = kubernetes.NewClient(environment, account)
	if s.client != nil && config.KubernetesEvents.In(b.config.View()) && s.pod.Namespace != "" {
		s.events = kubernetes.NewRecorder(s.client, s.pod, b.logger)
	}
	return s
}

// lookAround finds out where the broker is. Nothing that is missing keeps it from starting.
func (b *Broker) lookAround(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	if b.around.inside && b.config.Rack == "" {
		b.around.zone = b.around.findZone(ctx, config.KubernetesRackLabel.In(b.config.View()))
	}
	if b.outsideListener() != nil {
		b.findOutside(ctx)
	}
}

// environment has the variables of the pod.
func (b *Broker) environment() func(string) string {
	switch {
	case b.options.Environment != nil:
		return b.options.Environment
	case b.options.Guest:
		return func(string) string { return "" }
	}
	return os.Getenv
}

// findZone is the node's value of a label: what the pod was told, or what the API server says; empty where neither is known.
func (s *surroundings) findZone(ctx context.Context, label string) string {
	switch {
	case label == "":
		return ""
	case s.pod.Zone != "":
		return s.pod.Zone
	case s.client == nil || s.pod.Node == "":
		return ""
	}
	node, err := s.client.Node(ctx, s.pod.Node)
	if err != nil {
		s.logger.Info("the broker has no rack: broker.rack is not given, and the node can't be read", "node", s.pod.Node, "why", err)
		return ""
	}
	return node.Metadata.Labels[label]
}

// rack is where the broker stands: what was configured, or else the node's zone.
func (b *Broker) rack() string {
	if b.config.Rack == "" {
		return b.around.zone
	}
	return b.config.Rack
}

// say tells Kubernetes, where it listens.
func (b *Broker) say(kind kubernetes.Kind, reason, format string, args ...any) {
	if b.around != nil { // a test may build a broker of parts
		b.around.events.Say(kind, reason, fmt.Sprintf(format, args...))
	}
}

// quieten ends what newSurroundings began.
func (b *Broker) quieten() {
	b.around.events.Stop(lastWords)
	if b.around.client != nil {
		b.around.client.Close()
	}
}

// cameBackEmpty tells whether the cluster knows the broker with stores of which none is here.
func (b *Broker) cameBackEmpty(image *metadata.Image) bool {
	known := image.Member(b.id)
	if known == nil || len(known.Stores) == 0 {
		return false
	}
	here := map[ident.StoreID]bool{}
	for _, d := range b.store.Dirs() {
		here[d.ID()] = true
	}
	for _, id := range known.Stores {
		if here[id] {
			return false
		}
	}
	return true
}

// sayUp tells that the broker serves.
func (b *Broker) sayUp(empty bool) {
	if empty {
		b.say(kubernetes.Normal, "BrokerReturnedEmpty", "broker %d is back without its data, and copies %d partitions from the others",
			b.id, b.partitions.Len())
		return
	}
	b.say(kubernetes.Normal, "BrokerUp", "broker %d serves, with %d partitions", b.id, b.partitions.Len())
}

// sayLosses tells what was lost; the controller does, so that it is told once.
func (b *Broker) sayLosses(image *metadata.Image, losses []*metadata.Loss) {
	if image.ControllerID() != b.id {
		return
	}
	for _, l := range losses {
		b.say(kubernetes.Warning, "RecordsLost", "records of %s-%d from offset %d to %d may be lost: %s",
			l.Topic, l.Partition, l.Start, l.End, l.Cause)
	}
}

// errNotInPod says that a setting needs Kubernetes.
var errNotInPod = errors.New("this is no pod of Kubernetes: neither KUBERNETES_SERVICE_HOST nor POD_NAME is set")
