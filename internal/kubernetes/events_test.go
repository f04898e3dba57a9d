package kubernetes

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

const patience = 30 * time.Second

func (s *apiServer) await(t *testing.T, writes int) {
	t.Helper()
	timeout := time.After(patience)
	for range writes {
		select {
		case <-s.arrived:
		case <-timeout:
			t.Fatalf("not %d writes: %v", writes, s.writes())
		}
	}
}

var thePod = Pod{Name: "kafka-1", Namespace: "shop", UID: "u-1", Node: "worker-1"}

func TestEvents(t *testing.T) {
	s := newAPIServer(t)
	r := NewRecorder(s.client(t), thePod, slog.New(slog.DiscardHandler))
	r.Say(Normal, "BrokerUp", "broker 1 serves")
	r.Say(Warning, "RecordsLost", "orders-0: "+strings.Repeat("x", 2*maxMessage))
	r.Say(Normal, "BrokerUp", "broker 1 serves")
	s.await(t, 3)
	r.Stop(patience)
	got := s.writes()
	if len(got) != 3 || got[0].method != "POST" || got[1].method != "POST" || got[2].method != "PATCH" {
		t.Fatalf("got %v", got)
	}
	event := got[0].body
	object := event["involvedObject"].(map[string]any)
	if got[0].path != "/api/v1/namespaces/shop/events" || event["reason"] != "BrokerUp" || event["type"] != "Normal" || event["message"] != "broker 1 serves" ||
		object["name"] != "kafka-1" || object["uid"] != "u-1" || object["kind"] != "Pod" || event["count"] != 1.0 {
		t.Errorf("got %v", event)
	}
	if message := got[1].body["message"].(string); len(message) != maxMessage {
		t.Errorf("a message of %d bytes", len(message))
	}
	name := event["metadata"].(map[string]any)["name"].(string)
	if got[2].path != got[0].path+"/"+name || got[2].body["count"] != 2.0 {
		t.Errorf("the same again: %v", got[2])
	}
}

// TestEventsThatAreForgotten: the API server forgets Events after an hour; what is said again then is a new one.
func TestEventsThatAreForgotten(t *testing.T) {
	s := newAPIServer(t)
	r := NewRecorder(s.client(t), thePod, slog.New(slog.DiscardHandler))
	r.Say(Normal, "BrokerUp", "up")
	s.await(t, 1)
	s.mu.Lock()
	clear(s.objects)
	s.mu.Unlock()
	r.Say(Normal, "BrokerUp", "up")
	s.await(t, 2) // the PATCH that finds nothing, and the POST
	r.Stop(patience)
	if got := s.writes(); len(got) != 2 || got[1].method != "POST" {
		t.Errorf("got %v", got)
	}
}

func TestEventsThatAreRefused(t *testing.T) {
	s := newAPIServer(t)
	s.refuse = true
	var log bytes.Buffer
	r := NewRecorder(s.client(t), thePod, slog.New(slog.NewTextHandler(&log, nil)))
	for i := range 5 {
		r.Say(Normal, "BrokerUp", fmt.Sprint(i))
	}
	s.await(t, 1)
	r.Stop(patience)
	if n := strings.Count(log.String(), "Events are not written"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
	if len(s.arrived) != 0 {
		t.Error("it was tried again")
	}
}

// TestNobodyWaitsForEvents: an API server that does not answer costs the broker nothing.
func TestNobodyWaitsForEvents(t *testing.T) {
	s := newAPIServer(t)
	s.hold = make(chan struct{})
	r := NewRecorder(s.client(t), thePod, slog.New(slog.DiscardHandler))
	for i := range 10 * maxQueued {
		r.Say(Normal, "BrokerUp", fmt.Sprint(i))
	}
	if r.Dropped() < 8*maxQueued {
		t.Errorf("%d of %d dropped", r.Dropped(), 10*maxQueued)
	}
	began := time.Now()
	r.Stop(time.Millisecond)
	if took := time.Since(began); took > patience {
		t.Errorf("the stop took %s", took)
	}
	r.Say(Normal, "BrokerUp", "after the stop")
	close(s.hold)
}

func TestEventsAreRare(t *testing.T) {
	var a allowance
	now := time.Unix(1000, 0)
	written := 0
	for range 1000 {
		if a.take(now) {
			written++
		}
	}
	if written != burstEvents {
		t.Errorf("%d at once", written)
	}
	for i := range 100 {
		if a.take(now.Add(time.Duration(i) * time.Second)) {
			written++
		}
	}
	if written > burstEvents+11 || written < burstEvents+9 {
		t.Errorf("%d within 100 s more", written-burstEvents)
	}
	var none *Recorder
	none.Say(Normal, "BrokerUp", "nobody hears")
	none.Stop(0)
}
