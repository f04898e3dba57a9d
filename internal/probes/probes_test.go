package probes

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
)

func TestProbes(t *testing.T) {
	site := http.NewServeMux()
	site.HandleFunc("GET /well", Probe(func() error { return nil }, nil))
	site.HandleFunc("GET /warned", Probe(func() error { return nil }, func() []string { return []string{"the disk fills"} }))
	site.HandleFunc("GET /ill", Probe(func() error { return errors.New("no leader") }, nil))
	s, err := Listen("127.0.0.1:0", false, site, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	for path, want := range map[string]string{
		"/well": "200 ok\n", "/warned": "200 ok\nwarning: the disk fills\n", "/ill": "503 no leader\n",
	} {
		response, err := http.Get("http://" + s.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if got := response.Status[:4] + string(body); err != nil || got != want {
			t.Errorf("%s: %q, want %q (error %v)", path, got, want, err)
		}
	}
	if _, err := Listen(s.Addr().String(), false, site, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a port in use is taken")
	}
	elsewhere, err := Listen(s.Addr().String(), true, site, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("an address that nobody chose: %v", err)
	}
	defer elsewhere.Stop()
	response, err := http.Get("http://" + elsewhere.Addr().String() + "/well")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

func TestNothingToStop(t *testing.T) {
	var none *Server
	none.Stop()
}
