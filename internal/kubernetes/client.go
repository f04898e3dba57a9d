package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// AccountDir is where Kubernetes puts what a pod's service account is known by: token, ca.crt, namespace.
const AccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

const (
	// maxAnswer bounds what is read of an answer: a Node that has many images has some hundred kilobytes.
	maxAnswer = 8 << 20
	// maxConnections bounds the connections to the API server.
	maxConnections = 2
	idleAfter      = 30 * time.Second
	dialWithin     = 5 * time.Second
)

// ErrNoAccount says that the pod has no service account's token: automountServiceAccountToken is false, or this is no pod.
var ErrNoAccount = errors.New("the pod has no service account's token")

// StatusError is what the API server answers in place of what it was asked for.
type StatusError struct {
	// Code is HTTP's, Reason the API's: Forbidden, NotFound, AlreadyExists …
	Code    int
	Reason  string
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the API server says %d %s: %s", e.Code, e.Reason, e.Message)
}

// Refused reports whether the API server does not know or does not trust the service account, or does not let it do that.
func Refused(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && (status.Code == http.StatusForbidden || status.Code == http.StatusUnauthorized)
}

// Missing reports whether the API server has no such object.
func Missing(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

// Client asks the API server in the name of the pod's service account. The token is read for each request and the
// authority's certificates for each connection, for both are replaced while the pod runs.
type Client struct {
	base    string
	account string
	http    *http.Client

	mu    sync.Mutex
	ca    []byte         // guarded by mu: what pool was made of
	trust *x509.CertPool // guarded by mu
}

// NewClient finds the API server as every pod does, by KUBERNETES_SERVICE_HOST and _PORT, and the account in a directory. The error
// is ErrNoAccount where there is none. Nothing is sent.
func NewClient(environment func(string) string, account string) (*Client, error) {
	host, port := environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT")
	if host == "" {
		return nil, ErrNoAccount
	}
	if port == "" {
		port = "443"
	}
	c := &Client{base: "https://" + net.JoinHostPort(host, port), account: account}
	if _, err := c.token(); err != nil {
		return nil, err
	}
	c.http = &http.Client{Transport: &http.Transport{
		DialTLSContext: c.dial, MaxConnsPerHost: maxConnections, MaxIdleConnsPerHost: 1, IdleConnTimeout: idleAfter,
	}}
	return c, nil
}

// Close lets go of the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) token() (string, error) {
	text, err := os.ReadFile(filepath.Join(c.account, "token"))
	if errors.Is(err, os.ErrNotExist) {
		return "", ErrNoAccount
	}
	return strings.TrimSpace(string(text)), err
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	trust, err := c.authority()
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{RootCAs: trust, ServerName: host, MinVersion: tls.VersionTLS12}}
	return d.DialContext(ctx, network, address)
}

// authority is whom the API server's certificate must be from.
func (c *Client) authority() (*x509.CertPool, error) {
	pem, err := os.ReadFile(filepath.Join(c.account, "ca.crt"))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trust != nil && bytes.Equal(c.ca, pem) {
		return c.trust, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", filepath.Join(c.account, "ca.crt"))
	}
	c.ca, c.trust = pem, pool
	return pool, nil
}

// do sends one request. Neither body nor out is needed.
func (c *Client) do(ctx context.Context, method, path, kind string, body, out any) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "barnabas")
	if body != nil {
		request.Header.Set("Content-Type", kind)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("the API server: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("the API server: %w", err)
	case len(text) > maxAnswer:
		return fmt.Errorf("the API server: the answer to %s is longer than %d bytes", path, maxAnswer)
	case response.StatusCode >= 300:
		return statusOf(response.StatusCode, text)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the API server: the answer to %s: %w", path, err)
	}
	return nil
}

// statusOf reads a Status, or what something between has answered.
func statusOf(code int, text []byte) *StatusError {
	e := &StatusError{Code: code, Reason: http.StatusText(code)}
	var status struct{ Reason, Message string }
	if json.Unmarshal(text, &status) == nil && status.Message != "" {
		e.Message = status.Message
		if status.Reason != "" {
			e.Reason = status.Reason
		}
		return e
	}
	e.Message = strings.TrimSpace(string(text[:min(len(text), 200)]))
	return e
}
