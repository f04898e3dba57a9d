package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"barnabas/internal/overview"
)

// What Kafka's protocol has no request for a broker tells over HTTP (internal/broker/http_cluster.go).

// defaultHTTPPort is that of http.listener.
const defaultHTTPPort = "8080"

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// httpAddress is where to ask: as told, or at the first broker to ask, at the usual port.
func (m *modern) httpAddress(told string) (string, error) {
	if told != "" {
		return told, nil
	}
	seeds, err := splitAddresses(m.bootstrap)
	if err != nil {
		return "", usagef("say with --http where a broker's http.listener is")
	}
	host, _, err := net.SplitHostPort(seeds[0])
	return net.JoinHostPort(host, defaultHTTPPort), err
}

// ask reads one answer of a broker into value, and returns it as it came.
func (m *modern) ask(ctx context.Context, told, path string, value any) error {
	address, err := m.httpAddress(told)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout/2)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask a broker's http.listener (--http): %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(body, &refusal) == nil && refusal.Error != "" {
			return fmt.Errorf("%s: %s", address, refusal.Error)
		}
		return fmt.Errorf("%s answered %s: %s", address, response.Status, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, value); err != nil {
		return fmt.Errorf("%s: the answer is not that of a Barnabas broker: %w", address, err)
	}
	return nil
}

// clusterQuestions are `barnabas cluster status` and `barnabas cluster losses`.
func clusterQuestions(m *modern) []*cobra.Command {
	var address string
	status := &cobra.Command{
		Use: "status", Short: "Show brokers, and what partitions lack", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s overview.Status
			if err := m.ask(cmd.Context(), address, "/cluster/status", &s); err != nil {
				return err
			}
			return m.show(s, func(w *tabwriter.Writer) { printStatus(w, &s) })
		},
	}
	losses := &cobra.Command{
		Use: "losses", Short: "Show the ledger of records that were lost", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var losses []overview.Loss
			if err := m.ask(cmd.Context(), address, "/cluster/losses", &losses); err != nil {
				return err
			}
			return m.show(losses, func(w *tabwriter.Writer) { printLosses(w, losses) })
		},
	}
	all := []*cobra.Command{status, losses}
	for _, cmd := range all {
		cmd.Flags().StringVar(&address, "http", "", "a broker's http.listener, host:port (default: the host of the first "+
			"bootstrap server, port "+defaultHTTPPort+")")
	}
	return all
}

func printStatus(w io.Writer, s *overview.Status) {
	fmt.Fprintf(w, "CLUSTER\t%s\n", s.Cluster)
	if s.Keepers != "" {
		fmt.Fprintf(w, "KEEPERS\t%s; this is what was known before\n", s.Keepers)
	}
	fmt.Fprintf(w, "CONTROLLER\t%d\n", s.Controller)
	fmt.Fprintf(w, "TOPICS\t%d\n", s.Topics)
	fmt.Fprintf(w, "PARTITIONS\t%d\n", s.Partitions)
	for _, count := range []struct {
		name string
		n    int
	}{
		{"without leader", s.Offline}, {"stores asked", s.Asking}, {"under-replicated", s.UnderReplicated},
		{"under min ISR", s.UnderMinISR}, {"being moved", s.Reassigning},
	} {
		fmt.Fprintf(w, "  %s\t%d\n", count.name, count.n)
	}
	fmt.Fprintf(w, "LOSSES\t%d\n", s.Losses)
	printDeclared(w, s.Declared)
	fmt.Fprintln(w)
	fmt.Fprintln(w, "BROKER\tSTATE\tADDRESS\tRACK\tSTORES\tLEADS\tREPLICAS\tVERSION")
	for _, b := range s.Brokers {
		state := b.State
		if b.Successor {
			state += ", successor waits"
		}
		stores := fmt.Sprint(b.Stores)
		if b.Failed > 0 {
			stores += fmt.Sprintf(" (%d failed)", b.Failed)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", b.ID, state, b.Address, b.Rack, stores, b.Leads, b.Replicas, b.Version)
	}
}

// printDeclared tells of the topics that documents ask for, where there are documents.
func printDeclared(w io.Writer, d *overview.Declared) {
	if d == nil {
		return
	}
	fmt.Fprintf(w, "DECLARED TOPICS\t%d in %s\n", d.Topics, d.Directory)
	if len(d.Pending) > 0 {
		fmt.Fprintf(w, "  not as declared\t%s\n", strings.Join(d.Pending, ", "))
	}
	for _, problem := range d.Problems {
		fmt.Fprintf(w, "  problem\t%s\n", problem)
	}
}

func printLosses(w io.Writer, losses []overview.Loss) {
	if len(losses) == 0 {
		fmt.Fprintln(w, "Nothing was lost.")
		return
	}
	fmt.Fprintln(w, "WHEN\tPARTITION\tOFFSETS THAT MAY BE LOST\tKIND\tBEFORE EPOCH\tCAUSE")
	for _, l := range losses {
		fmt.Fprintf(w, "%s\t%s-%d\t[%d, %d)\t%s\t%d\t%s\n",
			l.At.Format(time.RFC3339), l.Topic, l.Partition, l.Start, l.End, l.Kind, l.LeaderEpoch, l.Cause)
	}
}
