package kubernetes

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// apiServer stands in for the API server: it knows tokens, objects, and the Events that it was sent.
type apiServer struct {
	*httptest.Server
	account string // the directory of the service account

	mu      sync.Mutex
	token   string            // guarded by mu: the one that is accepted
	objects map[string]string // guarded by mu: JSON by path
	refuse  bool              // guarded by mu: writes are answered with 403
	sent    []sent            // guarded by mu: the writes
	arrived chan struct{}     // one for each write
	hold    chan struct{}     // if not nil, writes wait until it is closed
}

type sent struct {
	method, path string
	body         map[string]any
}

func newAPIServer(t *testing.T) *apiServer {
	s := &apiServer{token: "first", objects: map[string]string{}, account: t.TempDir(), arrived: make(chan struct{}, 1000)}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	s.put(t, "token", "first\n")
	s.put(t, "namespace", "shop")
	s.put(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	return s
}

func (s *apiServer) put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.account, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// environment is a pod's.
func (s *apiServer) environment(name string) string {
	at, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	host, port, _ := net.SplitHostPort(at.Host)
	return map[string]string{"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}[name]
}

func (s *apiServer) client(t *testing.T) *Client {
	t.Helper()
	c, err := NewClient(s.environment, s.account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil && r.Method != http.MethodGet {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := func(code int, reason string) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "code": code, "reason": reason, "message": reason + " is said of " + r.URL.Path})
	}
	if r.Method != http.MethodGet {
		defer func() { s.arrived <- struct{}{} }()
	}
	object, known := s.objects[r.URL.Path]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.token:
		status(http.StatusUnauthorized, "Unauthorized")
	case r.Method != http.MethodGet && s.refuse:
		status(http.StatusForbidden, "Forbidden")
	case r.Method == http.MethodGet && !known:
		status(http.StatusNotFound, "NotFound")
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, object)
	default:
		s.take(w, r, status)
	}
}

// take keeps a write. The caller holds mu.
func (s *apiServer) take(w http.ResponseWriter, r *http.Request, status func(int, string)) {
	body := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		status(http.StatusBadRequest, "BadRequest")
		return
	}
	if _, known := s.objects[r.URL.Path]; r.Method == http.MethodPatch && !known {
		status(http.StatusNotFound, "NotFound")
		return
	}
	if meta, ok := body["metadata"].(map[string]any); ok && r.Method == http.MethodPost {
		s.objects[r.URL.Path+"/"+meta["name"].(string)] = "{}"
	}
	s.sent = append(s.sent, sent{r.Method, r.URL.Path, body})
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "{}")
}

func (s *apiServer) writes() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sent(nil), s.sent...)
}
