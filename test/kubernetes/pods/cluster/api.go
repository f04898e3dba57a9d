package cluster

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"barnabas/test/kubernetes/pods/lan"
)

// The API server, as far as pods ask it: Services, Nodes and Events, for accounts that the applied roles allow it. What it answers is held
// against a real one by package kubernetes/server.
var (
	apiService = netip.MustParseAddr("10.1.0.1")
	apiServer  = netip.AddrPortFrom(lan.Outside, 6443)
)

// api is the server's own part; what it answers from is the cluster's.
type api struct {
	http *http.Server
	ca   []byte
}

// startAPI opens the API server in the bridge's namespace.
func (c *Cluster) startAPI() error {
	certificate, ca, err := selfSigned()
	if err != nil {
		return err
	}
	var listener net.Listener
	err = lan.Enter(c.lan.Space(), func() (err error) {
		listener, err = net.Listen("tcp4", apiServer.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("the API server: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/nodes/{name}", c.authorized("get", "nodes", c.getNode))
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/services/{name}", c.authorized("get", "services", c.getService))
	mux.HandleFunc("POST /api/v1/namespaces/{namespace}/events", c.authorized("create", "events", c.createEvent))
	mux.HandleFunc("PATCH /api/v1/namespaces/{namespace}/events/{name}", c.authorized("patch", "events", c.patchEvent))
	c.api = &api{ca: ca, http: &http.Server{
		Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}, ErrorLog: log.New(io.Discard, "", 0),
	}}
	go func() { _ = c.api.http.ServeTLS(listener, "", "") }() // until Close
	return nil
}

// selfSigned is a certificate for the server's address, and the same for those who are to trust it.
func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{apiService.AsSlice()}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// Account implements kubelet.Cluster: what a pod's service account is known by.
func (c *Cluster) Account(pod *corev1.Pod) map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	token := "token-of-" + string(pod.UID)
	c.tokens[token] = accountOf(pod.Namespace, pod.Spec.ServiceAccountName)
	return map[string][]byte{"token": []byte(token), "ca.crt": c.api.ca, "namespace": []byte(pod.Namespace)}
}

// answer is a handler that has been let in; it holds the cluster's lock. A nil object is one that is not there.
type answer func(r *http.Request) (object any, err error)

// authorized lets those in whose account may do it.
func (c *Cluster) authorized(verb, resource string, do answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		account, known := c.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		switch {
		case !known:
			fail(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
			return
		case !c.rights.allow(account, verb, resource, r.PathValue("namespace")):
			fail(w, http.StatusForbidden, metav1.StatusReasonForbidden,
				fmt.Sprintf("%s is forbidden: User %q cannot %s resource %q", resource, "system:serviceaccount:"+strings.ReplaceAll(account, "/", ":"), verb, resource))
			return
		}
		object, err := do(r)
		switch {
		case err != nil:
			fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		case object == nil:
			fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("%s %q not found", resource, r.PathValue("name")))
		default:
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusCreated)
			}
			_ = json.NewEncoder(w).Encode(object) // the other end may have gone
		}
	}
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: reason, Message: message, Code: int32(code),
	})
}

func (c *Cluster) getNode(r *http.Request) (any, error) {
	n, err := c.node(r.PathValue("name"))
	if err != nil {
		return nil, nil
	}
	object := &corev1.Node{TypeMeta: metav1.TypeMeta{Kind: "Node", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: n.name, Labels: n.labels}}
	object.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.host.Address.String()}, {Type: corev1.NodeHostName, Address: n.name}}
	return object, nil
}

func (c *Cluster) getService(r *http.Request) (any, error) {
	for _, s := range c.services {
		if s.Namespace == r.PathValue("namespace") && s.Name == r.PathValue("name") {
			return s, nil
		}
	}
	return nil, nil
}

// maxEvent bounds what is read of one, in bytes.
const maxEvent = 1 << 20

func (c *Cluster) createEvent(r *http.Request) (any, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxEvent))
	if err != nil {
		return nil, err
	}
	var e corev1.Event
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&e); {
	case err != nil:
		return nil, err
	case e.Name == "" || e.InvolvedObject.Namespace != r.PathValue("namespace"):
		return nil, fmt.Errorf("involvedObject.namespace: does not match event.namespace")
	}
	c.events = append(c.events, &e)
	c.say("Event %s of %s: %s", e.Reason, e.InvolvedObject.Name, e.Message)
	return &e, nil
}

func (c *Cluster) patchEvent(r *http.Request) (any, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxEvent))
	if err != nil {
		return nil, err
	}
	for _, e := range c.events {
		if e.Name == r.PathValue("name") {
			return e, json.Unmarshal(raw, e) // a merge of fields that are no objects
		}
	}
	return nil, nil
}

// Events are what pods have said, in its order.
func (c *Cluster) Events() []corev1.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []corev1.Event
	for _, e := range c.events {
		out = append(out, *e)
	}
	return out
}
