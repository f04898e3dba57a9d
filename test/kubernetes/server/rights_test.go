package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const shop = "shop"

// account writes what kubelet mounts for a service account into a directory, and returns that and the token.
func (a *apiServer) account(t *testing.T, namespace, name string) (dir, token string) {
	t.Helper()
	var answer struct{ Status struct{ Token string } }
	a.must(t, http.MethodPost, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+name+"/token",
		object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": object{"expirationSeconds": 3600}}, &answer)
	dir = t.TempDir()
	for file, text := range map[string]string{"token": answer.Status.Token, "ca.crt": string(a.ca), "namespace": namespace} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, answer.Status.Token
}

// process is a keeper or a broker as one in a pod: with a service account where all have theirs, which takes a mount namespace.
type process struct {
	command *exec.Cmd
	log     string
	ended   chan struct{}
}

const mounted = `mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io && cp -rL "$0" /run/secrets/kubernetes.io/serviceaccount && exec "$@"`

func startPod(t *testing.T, name, account string, env []string, args ...string) *process {
	t.Helper()
	p := &process{log: filepath.Join(t.TempDir(), "log"), ended: make(chan struct{})}
	file, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	host, port, _ := net.SplitHostPort(at.address)
	p.command = exec.Command("unshare", append([]string{"--mount", "sh", "-c", mounted, account, program}, args...)...)
	p.command.Env = append(env, "PATH="+os.Getenv("PATH"), "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port,
		"POD_NAME="+name, "POD_NAMESPACE="+shop, "POD_UID=0a1b2c3d", "NODE_NAME=worker-1", "HOST_IP=127.0.0.1")
	p.command.Stdout, p.command.Stderr = file, file
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.command.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
		if t.Failed() {
			raw, _ := os.ReadFile(p.log)
			t.Logf("%s:\n%s", name, raw[max(0, len(raw)-5000):])
		}
	})
	return p
}

// stop tells it to stop and waits until it has.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("it does not stop")
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

type event struct {
	Reason, Message, Type string
	Count                 int
	InvolvedObject        struct{ Kind, Name, UID string }
}

// events are those about a pod.
func events(t *testing.T, pod string) []event {
	t.Helper()
	var list struct{ Items []event }
	at.must(t, http.MethodGet, "/api/v1/namespaces/"+shop+"/events?fieldSelector=involvedObject.name%3D"+pod+",involvedObject.uid%3D0a1b2c3d", nil, &list)
	return list.Items
}

func told(t *testing.T, pod, reason string, times int) event {
	t.Helper()
	var found event
	await(t, fmt.Sprintf("the Event %s of %s, %d times", reason, pod, times), func() bool {
		for _, e := range events(t, pod) {
			if e.Reason == reason && e.Count >= times {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// TestRights: a keeper and a broker with the accounts that the chart gives them do what they can, and use every right that they have.
// They ask for nothing that they may not.
func TestRights(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("service accounts are mounted by root alone")
		}
		t.Skip("service accounts are mounted by root alone")
	}
	at.namespace(t, shop)
	documents, err := rendered(t, shop, "outside: {access: NodePort}\nrack: {readNode: true}", false)
	if err != nil {
		t.Fatal(err)
	}
	accept(t, documents, false)
	node := object{"apiVersion": "v1", "kind": "Node", "metadata": object{"name": "worker-1", "labels": object{"topology.kubernetes.io/zone": "zone-b"}}}
	at.must(t, http.MethodPost, "/api/v1/nodes", node, nil)
	at.must(t, http.MethodPatch, "/api/v1/nodes/worker-1/status", object{"status": object{"addresses": []object{
		{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "ExternalIP", "address": "127.0.0.9"},
	}}}, nil)
	var service struct {
		Spec struct{ Ports []struct{ NodePort int } }
	}
	at.must(t, http.MethodGet, "/api/v1/namespaces/"+shop+"/services/barnabas-broker-0", nil, &service)
	advertised := fmt.Sprintf("127.0.0.9:%d", service.Spec.Ports[0].NodePort)

	keeperAccount, keeperToken := at.account(t, shop, "barnabas-keeper")
	brokerAccount, brokerToken := at.account(t, shop, "barnabas-broker")
	clients, peers, calls := port(t), port(t), port(t)
	keeper := startPod(t, "barnabas-keeper-0", keeperAccount, nil, "keeper", "--id", "1", "--data-dir", t.TempDir(),
		"--override", "http.listener=none", "--servers", fmt.Sprintf("server.1=127.0.0.1:%s:%s;127.0.0.1:%s", peers, calls, clients))
	told(t, "barnabas-keeper-0", "EnsembleBorn", 1)

	topics, inner, outer, scraped := t.TempDir(), port(t), port(t), port(t)
	broker := startPod(t, "barnabas-broker-0", brokerAccount, []string{
		"KAFKA_ZOOKEEPER_CONNECT=127.0.0.1:" + clients, "KAFKA_BARNABAS_OUTSIDE_ACCESS=nodeport",
		"KAFKA_LISTENERS=PLAINTEXT://127.0.0.1:" + inner + ",OUTSIDE://127.0.0.1:" + outer,
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,OUTSIDE:PLAINTEXT", "KAFKA_INTER_BROKER_LISTENER_NAME=PLAINTEXT",
		"KAFKA_LOG_DIRS=" + filepath.Join(t.TempDir(), "logs"), "KAFKA_HTTP_LISTENER=127.0.0.1:" + scraped,
		"KAFKA_BARNABAS_TOPICS_DIR=" + topics, "KAFKA_BARNABAS_TOPICS_INTERVAL_MS=100", "KAFKA_BARNABAS_ADVERTISED_CHECK_INTERVAL_MS=1000",
	}, "server")
	up := told(t, "barnabas-broker-0", "BrokerUp", 1)
	if up.Type != "Normal" || up.InvolvedObject.Kind != "Pod" {
		t.Errorf("the Event is %+v", up)
	}
	// Nobody listens there; that it is said shows that the Service and the Node were read.
	if e := told(t, "barnabas-broker-0", "AddressUnreachable", 1); !strings.Contains(e.Message, advertised) || e.Type != "Warning" {
		t.Errorf("the Event is %+v, want one of %s", e, advertised)
	}
	if got := endpoints(t, outer); !strings.Contains(got, "127.0.0.9") || !strings.Contains(got, "zone-b") {
		t.Errorf("clients outside are told %s", got)
	}
	// The same said again counts up the Event that is there.
	wrong := func() {
		if err := os.WriteFile(filepath.Join(topics, "a.yaml"), []byte("kind: KafkaTopic\nmetadata: {name: a}\nspec: {replicas: 3}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wrong()
	first := told(t, "barnabas-broker-0", "TopicNotFollowed", 1)
	declared := func(want string) {
		await(t, "the documents to be "+want, func() bool { return strings.Contains(metrics(t, scraped), "barnabas_declared_topics_problems "+want) })
	}
	declared("1")
	if err := os.Remove(filepath.Join(topics, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	declared("0")
	wrong()
	if e := told(t, "barnabas-broker-0", "TopicNotFollowed", 2); e.Message != first.Message {
		t.Errorf("%+v counts up %+v", e, first)
	}
	broker.stop(t)
	told(t, "barnabas-broker-0", "BrokerDraining", 1)
	keeper.stop(t)

	used := audited(t)
	at.must(t, http.MethodPost, "/api/v1/namespaces/"+shop+"/serviceaccounts", object{"metadata": object{"name": "nobody"}}, nil)
	_, nobody := at.account(t, shop, "nobody")
	common := allowed(t, nobody)
	for name, c := range map[string]struct {
		token string
		may   []string
		rare  []string // rights that this test's life has no use for
	}{
		"barnabas-keeper": {keeperToken, []string{"create events", "patch events"}, []string{"patch events"}},
		"barnabas-broker": {brokerToken, []string{"create events", "get nodes", "get services", "patch events"}, nil},
	} {
		may := slices.DeleteFunc(allowed(t, c.token), func(right string) bool { return slices.Contains(common, right) })
		if !slices.Equal(may, c.may) {
			t.Errorf("%s may %q, want %q", name, may, c.may)
		}
		want := slices.DeleteFunc(slices.Clone(c.may), func(right string) bool { return slices.Contains(c.rare, right) })
		if got := used["system:serviceaccount:"+shop+":"+name]; !slices.Equal(got, want) {
			t.Errorf("%s has used %q, want %q", name, got, want)
		}
	}
}

func port(t *testing.T) string {
	t.Helper()
	address, err := free()
	if err != nil {
		t.Fatal(err)
	}
	_, number, _ := net.SplitHostPort(address)
	return number
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// metrics is what a broker says when it is scraped.
func metrics(t *testing.T, port string) string {
	t.Helper()
	response, err := http.Get("http://127.0.0.1:" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// endpoints is what a client that comes to a listener is told of the brokers.
func endpoints(t *testing.T, port string) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "kafka-cluster.sh")
	if err := os.Symlink(program, tool); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "list-endpoints", "--bootstrap-server", "127.0.0.1:"+port).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}

// allowed is all that a token's owner may do in the namespace.
func allowed(t *testing.T, token string) []string {
	t.Helper()
	body := []byte(`{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectRulesReview","spec":{"namespace":"` + shop + `"}}`)
	_, answer, _, err := at.ask(token, http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", "application/json", body)
	var review struct {
		Status struct {
			ResourceRules []struct{ Verbs, APIGroups, Resources, ResourceNames []string }
		}
	}
	if err == nil {
		err = json.Unmarshal(answer, &review)
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, rule := range review.Status.ResourceRules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				out = append(out, verb+" "+resource)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// audited is what each user has done, by the server's own log. What was refused is an error.
func audited(t *testing.T) map[string][]string {
	t.Helper()
	used := map[string][]string{}
	lines := bufio.NewScanner(bytes.NewReader([]byte(read(t, filepath.Join(at.dir, "audit.log")))))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Verb, RequestURI string
			User             struct{ Username string }
			ObjectRef        struct{ Resource string }
			ResponseStatus   struct{ Code int }
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(e.User.Username, "system:serviceaccount:"+shop) || strings.HasPrefix(e.ObjectRef.Resource, "selfsubject") {
			continue
		}
		if e.ResponseStatus.Code >= 400 {
			t.Errorf("%s: %s %s was answered %d", e.User.Username, e.Verb, e.RequestURI, e.ResponseStatus.Code)
		}
		used[e.User.Username] = append(used[e.User.Username], e.Verb+" "+e.ObjectRef.Resource)
	}
	for user, list := range used {
		slices.Sort(list)
		used[user] = slices.Compact(list)
	}
	return used
}
