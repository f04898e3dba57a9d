package cluster

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/launch"
)

// TestReplicasAreVerified has kafka-replica-verification compare three replicas, which are the same, and once more when one of them
// has another checksum on its disk.
func TestReplicasAreVerified(t *testing.T) {
	c := start(t, 3)
	client := newClient(t, c, kgo.DefaultProduceTopic("compared"), kgo.AllowAutoTopicCreation())
	for range 20 {
		if err := client.ProduceSync(t.Context(), kgo.StringRecord("value")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c.verify("max lag is 0 for partition compared-0 at offset 20 among 1 partitions", "unmatched")

	follower := c.nodes[2]
	c.stop(follower)
	file := filepath.Join(follower.dir, "compared-0", "00000000000000000000.log")
	records, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const checksumAt = 17 // in a batch's header
	records[checksumAt] ^= 1
	if err := os.WriteFile(file, records, 0o644); err != nil {
		t.Fatal(err)
	}
	c.again(follower)
	c.verify("partition compared-0 has unmatched checksum at offset 0; replica ", "")
}

// verify runs the tool until it has said something, and wants it not to say something else.
func (c *cluster) verify(wanted, unwanted string) {
	c.t.Helper()
	var output launch.Output
	tool := exec.Command(program, "kafka-replica-verification.sh", "--broker-list", strings.Join(c.addresses(), ","),
		"--topics-include", "compared", "--time", "-2", "--report-interval-ms", "1", "--max-wait-ms", "10")
	tool.Stdout, tool.Stderr = &output, &output
	if err := tool.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- tool.Wait() }()
	c.await(wanted, func() bool {
		select {
		case err := <-ended:
			c.t.Fatalf("the tool has ended: %v\n%s", err, output.String())
		default:
		}
		return strings.Contains(output.String(), wanted)
	})
	if err := tool.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Error(err)
	}
	<-ended
	if unwanted != "" && strings.Contains(output.String(), unwanted) {
		c.t.Errorf("it has said:\n%s", output.String())
	}
	if code := tool.ProcessState.ExitCode(); code != 128+int(syscall.SIGINT) {
		c.t.Errorf("exit code %d", code)
	}
	if !bytes.Contains([]byte(output.String()), []byte(": verification process is started\n")) {
		c.t.Errorf("it has not said that it begins:\n%s", output.String())
	}
}
