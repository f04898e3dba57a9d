package server

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// patience bounds every wait, on a busy machine.
const patience = 90 * time.Second

// admin is the token of one who may do everything.
const admin = "admin"

// apiServer is one that runs, with the keeper that holds its objects.
type apiServer struct {
	dir, address string
	ca           []byte
	http         *http.Client
	running      []*exec.Cmd
}

// start starts a keeper and the API server on it, and waits until that is ready.
func start(binary, dir string) (*apiServer, error) {
	a := &apiServer{dir: dir}
	var ports [4]string
	for i := range ports {
		address, err := free()
		if err != nil {
			return nil, err
		}
		ports[i] = address
	}
	_, peer, _ := net.SplitHostPort(ports[1])
	_, call, _ := net.SplitHostPort(ports[2])
	err := a.run("keeper", program, "keeper", "--id", "1", "--data-dir", filepath.Join(dir, "etcd"), "--override", "http.listener=none",
		"--servers", fmt.Sprintf("server.1=127.0.0.1:%s:%s;%s", peer, call, ports[0]))
	if err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	a.address = ports[3]
	_, port, _ := net.SplitHostPort(a.address)
	for name, text := range map[string]string{
		"tokens.csv": admin + ",admin,admin,system:masters\n",
		"audit.yaml": "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, omitStages: [RequestReceived]}]\n",
		"sa.key":     string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	err = a.run("kube-apiserver", binary, "--etcd-servers=http://"+ports[0], "--bind-address=127.0.0.1", "--secure-port="+port,
		"--cert-dir="+filepath.Join(dir, "certificates"), "--token-auth-file="+filepath.Join(dir, "tokens.csv"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+filepath.Join(dir, "sa.key"),
		"--service-account-signing-key-file="+filepath.Join(dir, "sa.key"), "--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC", "--allow-privileged=false",
		"--audit-policy-file="+filepath.Join(dir, "audit.yaml"), "--audit-log-path="+filepath.Join(dir, "audit.log"))
	if err != nil {
		a.stop()
		return nil, err
	}
	if err := a.ready(); err != nil {
		a.stop()
		return nil, err
	}
	return a, nil
}

// next counts the ports that were given out.
var next atomic.Uint32

// free is an address of this machine that nobody listens at, below the ports that systems give to connections.
func free() (string, error) {
	var last error
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+(uint32(os.Getpid())*101+next.Add(1))%20000))
		if err == nil {
			defer l.Close()
			return l.Addr().String(), nil
		}
		last = err
	}
	return "", last
}

func (a *apiServer) run(name string, args ...string) error {
	log, err := os.Create(filepath.Join(a.dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return err
	}
	a.running = append(a.running, c)
	return nil
}

func (a *apiServer) stop() {
	for i := len(a.running) - 1; i >= 0; i-- {
		_ = a.running[i].Process.Kill()
		_ = a.running[i].Wait()
	}
}

func (a *apiServer) ready() error {
	said := errors.New("it was not asked")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		ca, err := os.ReadFile(filepath.Join(a.dir, "certificates", "apiserver.crt"))
		if err != nil {
			said = err
			continue
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		a.ca, a.http = ca, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		code, text, _, err := a.ask(admin, http.MethodGet, "/readyz", "", nil)
		if err == nil && code == http.StatusOK {
			return nil
		}
		said = fmt.Errorf("%d %s %w", code, text, err)
	}
	log, _ := os.ReadFile(filepath.Join(a.dir, "kube-apiserver.log"))
	return fmt.Errorf("kube-apiserver is not ready: %w\n%s", said, log[max(0, len(log)-3000):])
}

// ask sends a request in the name of a token's owner. The warnings are those that kubectl prints.
func (a *apiServer) ask(token, method, path, kind string, body []byte) (code int, answer []byte, warnings []string, err error) {
	request, err := http.NewRequest(method, "https://"+a.address+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := a.http.Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, response.Header.Values("Warning"), err
}

// must is ask of the administrator, for what has to succeed; it decodes the answer unless into is nil.
func (a *apiServer) must(t *testing.T, method, path string, body, into any) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	kind := "application/json"
	if method == http.MethodPatch {
		kind = "application/merge-patch+json"
	}
	code, answer, _, err := a.ask(admin, method, path, kind, raw)
	if err == nil && code >= 300 {
		err = fmt.Errorf("%d", code)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, answer)
	}
}

// config is how a client of Kubernetes' own is told of the server.
func (a *apiServer) config() *rest.Config {
	return &rest.Config{Host: "https://" + a.address, BearerToken: admin, TLSClientConfig: rest.TLSClientConfig{CAData: a.ca}}
}

// namespace makes one in which pods have to be as the restricted standard wants them.
func (a *apiServer) namespace(t *testing.T, name string) {
	t.Helper()
	a.must(t, http.MethodPost, "/api/v1/namespaces", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{
		"name": name, "labels": object{"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"},
	}}, nil)
}

type object = map[string]any
