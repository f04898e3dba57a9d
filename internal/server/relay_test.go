package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
)

// TestRelay: connections go to the other server byte for byte; when that ends they are cut, and the listeners serve.
func TestRelay(t *testing.T) {
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	go func() { // says everything twice
		for {
			c, err := upstream.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var one [1]byte
				for {
					if _, err := io.ReadFull(c, one[:]); err != nil {
						return
					}
					if _, err := c.Write([]byte{one[0], one[0]}); err != nil {
						return
					}
				}
			}()
		}
	}()
	s, err := Listen(Options{Listeners: []Listener{{Name: "A", Address: "127.0.0.1:0"}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stop := s.Relay(func(listener string) (net.Conn, error) {
		if listener != "A" {
			return nil, errors.New("no such listener")
		}
		return net.Dial("tcp", upstream.Addr().String())
	})
	client, err := net.Dial("tcp", s.Address("A").String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	var answer [2]byte
	if _, err := io.ReadFull(client, answer[:]); err != nil || string(answer[:]) != "xx" {
		t.Fatalf("%q %v", answer, err)
	}
	stop()
	if _, err := client.Read(answer[:]); err == nil {
		t.Error("the connection goes on after the relay has ended")
	}
	asked := make(chan struct{}, 1)
	s.SetHandler(HandlerFunc(func(x *Exchange) {
		asked <- struct{}{}
		x.Abort(errDraining)
	}))
	s.Serve()
	defer s.Stop(t.Context())
	again, err := net.Dial("tcp", s.Address("A").String())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Write([]byte{0, 0, 0, 8, 0, 18, 0, 0, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	<-asked
}
