package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// jetStream is NATS JetStream on files, built from the module in bench/nats. Its clients are in that module too.
type jetStream struct{ binary string }

func buildNATS(source, cache string) (string, error) {
	binary := filepath.Join(cache, "nats")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = source
	build.Stderr = os.Stderr
	return binary, build.Run()
}

func (jetStream) name() string { return nameNATS }

func (jetStream) warmUp() int { return warmCache }

func (jetStream) prepare(string, int) error { return nil }

func (n jetStream) command(dir string, port int, _ []string) *exec.Cmd {
	return exec.Command(n.binary, "serve", "-dir", filepath.Join(dir, "data"), "-listen", "127.0.0.1:"+strconv.Itoa(port))
}

// latency runs the module's generator beside this process, which does nothing meanwhile. It writes eight bytes for each
// record that counts: nanoseconds.
func (s jetStream) latency(n *node, rate, warm, total int) (figures, error) {
	g, err := startGauge(n.pid())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.binary, "latency", "-to", n.address(), "-rate", strconv.Itoa(rate), "-warm", strconv.Itoa(warm),
		"-total", strconv.Itoa(total), "-size", strconv.Itoa(latencyValue))
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(runtime.NumCPU())) // see pinSelf
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h, err := readTimes(out)
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	if err == nil && h.total != int64(total-warm) {
		err = fmt.Errorf("%d times of %d", h.total, total-warm)
	}
	if err != nil {
		return nil, fmt.Errorf("the generator for NATS: %w", err)
	}
	used, err := g.stop()
	f := h.figures()
	f["broker CPU-s per million"] = used.broker.Seconds() / float64(total) * 1e6
	f["resident after the load, MiB"], _ = residentMiB(n.pid())
	return f, err
}

func readTimes(from io.Reader) (*histogram, error) {
	h := new(histogram)
	in := bufio.NewReader(from)
	for {
		var raw [8]byte
		if _, err := io.ReadFull(in, raw[:]); err == io.EOF {
			return h, nil
		} else if err != nil {
			return nil, err
		}
		h.add(time.Duration(binary.BigEndian.Uint64(raw[:])))
	}
}
