package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
)

// The JSON of kafka-log-dirs, field by field in its order.
type (
	logDirsReport struct {
		Brokers []brokerLogDirs `json:"brokers"`
		Version int             `json:"version"`
	}
	brokerLogDirs struct {
		Broker  int32    `json:"broker"`
		LogDirs []logDir `json:"logDirs"`
	}
	logDir struct {
		Partitions []logDirPartition `json:"partitions"`
		Error      *string           `json:"error"`
		LogDir     string            `json:"logDir"`
	}
	logDirPartition struct {
		Partition string `json:"partition"`
		Size      int64  `json:"size"`
		OffsetLag int64  `json:"offsetLag"`
		IsFuture  bool   `json:"isFuture"`
	}
)

// runLogDirs is kafka-log-dirs.
func runLogDirs(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool shows what the log directories of brokers hold.")
	connect := newConnectOptions(p)
	describe := p.Flag("describe", "Describe the log directories.")
	topicList := p.Text("topic-list", "topics", "The topics, with commas; without it all.")
	brokerList := p.Text("broker-list", "broker ids", "The brokers, with commas; without it all.")
	if err := env.parse(p, args, p.Intro); err != nil {
		return err
	}
	if err := connect.required(); err != nil {
		return err
	}
	if err := p.Required(describe); err != nil {
		return err
	}
	err := connect.run(ctx, env, func(ctx context.Context, c *client) error {
		brokers, err := c.chosenBrokers(ctx, splitList(brokerList.Must()))
		if err != nil {
			return err
		}
		env.printf("Querying brokers for log directories information\n")
		report, err := c.logDirs(ctx, brokers, splitList(topicList.Must()))
		if err != nil {
			return err
		}
		env.printf("Received log directory information from brokers %s\n", joinIDs(brokers))
		encoder := json.NewEncoder(env.Stdout)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(report)
	})
	if err != nil {
		env.warnf("%s\n", errorText(err))
		return exitFailure
	}
	return nil
}

func splitList(list string) []string {
	var words []string
	for _, word := range strings.Split(list, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// chosenBrokers checks the ids against the brokers there are; no ids means all brokers.
func (c *client) chosenBrokers(ctx context.Context, ids []string) ([]int32, error) {
	live, err := c.liveBrokers(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]int32, 0, len(live))
	for id := range live {
		all = append(all, id)
	}
	slices.Sort(all)
	if len(ids) == 0 {
		return all, nil
	}
	var chosen []int32
	var missing []string
	for _, text := range ids {
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, sayf("For input string: %q", text)
		}
		if !live[int32(id)] {
			missing = append(missing, text)
		}
		chosen = append(chosen, int32(id))
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("ERROR: The given brokers do not exist from --broker-list: %s. Current "+
			"existent brokers: %s",
			strings.Join(missing, ","), joinIDs(all))
	}
	return chosen, nil
}

func (c *client) logDirs(ctx context.Context, brokers []int32, topics []string) (*logDirsReport, error) {
	report := &logDirsReport{Version: 1, Brokers: []brokerLogDirs{}}
	for _, id := range brokers {
		req := kmsg.NewPtrDescribeLogDirsRequest() // without topics: all
		resp, err := req.RequestWith(ctx, c.Broker(int(id)))
		if err != nil {
			return nil, err
		}
		if err := codeError(resp.ErrorCode, nil); err != nil {
			return nil, err
		}
		broker := brokerLogDirs{Broker: id, LogDirs: []logDir{}}
		for _, dir := range resp.Dirs {
			broker.LogDirs = append(broker.LogDirs, toLogDir(dir, topics))
		}
		report.Brokers = append(report.Brokers, broker)
	}
	return report, nil
}

func toLogDir(dir kmsg.DescribeLogDirsResponseDir, topics []string) logDir {
	answer := logDir{Partitions: []logDirPartition{}, LogDir: dir.Dir}
	if err := codeError(dir.ErrorCode, nil); err != nil {
		text := javaClass(err) + ": " + err.Error()
		answer.Error = &text
	}
	for _, t := range dir.Topics {
		if len(topics) > 0 && !slices.Contains(topics, t.Topic) {
			continue
		}
		for _, p := range t.Partitions {
			answer.Partitions = append(answer.Partitions, logDirPartition{
				fmt.Sprintf("%s-%d", t.Topic, p.Partition), p.Size, p.OffsetLag, p.IsFuture,
			})
		}
	}
	return answer
}

// logDirsCommand is `barnabas log-dirs`.
func logDirsCommand(m *modern) *cobra.Command {
	var topics, brokers []string
	cmd := &cobra.Command{
		Use: "log-dirs", Short: "Show what the log directories of brokers hold", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				ids, err := c.chosenBrokers(ctx, brokers)
				if err != nil {
					return err
				}
				report, err := c.logDirs(ctx, ids, topics)
				if err != nil {
					return err
				}
				return m.show(report.Brokers, func(w *tabwriter.Writer) {
					fmt.Fprintln(w, "BROKER\tDIRECTORY\tPARTITION\tBYTES\tLAG")
					for _, b := range report.Brokers {
						for _, d := range b.LogDirs {
							if d.Error != nil {
								fmt.Fprintf(w, "%d\t%s\t%s\t\t\n", b.Broker, d.LogDir, *d.Error)
							}
							for _, p := range d.Partitions {
								fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%d\n", b.Broker, d.LogDir, p.Partition, p.Size, p.OffsetLag)
							}
						}
					}
				})
			})
		},
	}
	cmd.Flags().StringSliceVar(&topics, "topic", nil, "only these topics")
	cmd.Flags().StringSliceVar(&brokers, "broker", nil, "only these brokers, by id")
	return cmd
}
