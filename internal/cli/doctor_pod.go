package cli

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
)

// In a broker's pod the doctor needs no address: the pod's variables say where the broker listens, for each kind of clients.

// ownListeners are the addresses at which the broker of this pod is reached from within it, by KAFKA_LISTENERS; none elsewhere.
func ownListeners(environment func(string) string) []string {
	var addresses []string
	for _, listener := range strings.Split(environment("KAFKA_LISTENERS"), ",") {
		name, address, ok := strings.Cut(strings.TrimSpace(listener), "://")
		host, port, err := net.SplitHostPort(address)
		if !ok || err != nil || port == "0" || name == environment("KAFKA_CONTROLLER_LISTENER_NAMES") {
			continue
		}
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = "localhost"
		}
		addresses = append(addresses, net.JoinHostPort(host, port))
	}
	return addresses
}

// examinePod asks the broker of this pod what it has found out itself.
func (d *doctor) examinePod(ctx context.Context) {
	_, port, err := net.SplitHostPort(d.m.env.Getenv("KAFKA_HTTP_LISTENER"))
	if err != nil {
		return
	}
	address := net.JoinHostPort("localhost", port)
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.problem("this pod", "its broker's http.listener does not answer: "+errorText(err), "may be served all the same; the pod's probes fail.",
			"see what the broker logs (kubectl logs).")
		return
	}
	defer response.Body.Close()
	d.judgeReadiness(response.StatusCode, io.LimitReader(response.Body, maxAnswer))
}

// judgeReadiness reads /readyz: why the broker is not ready, or what it warns of.
func (d *diagnosis) judgeReadiness(code int, body io.Reader) {
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		warning, isWarning := strings.CutPrefix(line, "warning: ")
		switch {
		case code != http.StatusOK && line != "":
			d.problem("this pod", "its broker is not ready: "+line, "is not led to it by a Service.", "wait; where it lasts, see what the broker logs.")
			return
		case isWarning:
			d.problem("this pod", warning, "may not reach this broker, or not find a topic.", "see docs/kubernetes.md.")
		}
	}
}
