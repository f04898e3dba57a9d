package broker

import (
	"context"
	"time"

	"barnabas/internal/kubernetes"
)

// drainTime is how long requests under way may take when the broker stops; what still waits then is cut.
const drainTime = time.Second

// leaveTime bounds each step of the stop that needs the metadata store.
const leaveTime = 500 * time.Millisecond

// Stop ends the broker: no new connection or request, those under way are answered, coordinators and
// controller end, logs are synced and marked clean, the registration goes. When ctx ends first, what is open is
// left to the next start's recovery.
func (b *Broker) Stop(ctx context.Context) error {
	b.stopping.Do(func() { b.stopError = b.stop(ctx) })
	return b.stopError
}

func (b *Broker) stop(ctx context.Context) error {
	began := time.Now()
	b.ready.set(errStopping)
	b.say(kubernetes.Normal, "BrokerDraining", "broker %d was told to stop, and asks to leave", b.id)
	if b.depart(ctx) {
		if b.feed.Current().Successor(b.id) != nil {
			b.session.close(ctx) // at once: it begins to serve then
		}
		b.linger(ctx)
	}
	drain, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- b.server.Stop(drain) }()
	b.groups.Close() // answers who waits in a group: the server waits for these answers
	if err := <-drained; err != nil {
		b.logger.Warn("connections were cut", "why", err)
	}
	b.cancel()
	b.api.Close()
	b.background.Wait()
	b.stopCopying()
	b.producers.Close()
	closed := make(chan error, 1)
	go func() { closed <- b.store.Close(true) }()
	b.leave(ctx)
	err := <-closed
	b.feed.Stop()
	b.journal.close()
	b.quieten()
	b.meta.close()
	if b.http != nil {
		b.http.Stop()
	}
	b.logger.Info("broker stopped", "took", time.Since(began).Round(time.Millisecond).String())
	return err
}

// lingerTime is how long a broker answers after others have taken over what it led. Clients hear from it who leads
// now; a request that met a closed connection would have them ask around first, after a pause.
const lingerTime = 250 * time.Millisecond

func (b *Broker) linger(ctx context.Context) {
	if b.server.Connections() > 0 {
		pause(ctx, lingerTime)
	}
}

// leave gives up the election and the registration.
func (b *Broker) leave(ctx context.Context) {
	if b.controller != nil {
		b.controller.Stop()
	}
	if b.session != nil {
		b.session.close(ctx)
	}
}

// abandon undoes a start that has failed.
func (b *Broker) abandon() {
	b.cancel()
	if b.stopRelay != nil {
		b.stopRelay()
	}
	if b.server != nil {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		b.server.Stop(now)
	}
	if b.groups != nil {
		b.groups.Close()
	}
	if b.api != nil {
		b.api.Close()
	}
	b.background.Wait()
	b.stopCopying()
	if b.producers != nil {
		b.producers.Close()
	}
	b.leave(context.Background())
	b.quieten()
	if b.feed != nil {
		b.feed.Stop()
		b.journal.close()
	}
	if b.store != nil {
		b.store.Close(true)
	}
	if b.meta != nil {
		b.meta.close()
	}
	if b.http != nil {
		b.http.Stop()
	}
}
