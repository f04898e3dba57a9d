// Command load keeps numbered records going to a topic, idempotently and with acks=all, and a consumer group that reads
// them, for as long as its standard input is open. Harnesses whose clients live in another place than they do, a network
// namespace for one, steer it by lines and read what it prints:
//
//	stat      {"acked":…,"read":…,"all":…,"partition":…,"own":…}, the longest stalls since the last mark, in nanoseconds
//	mark      the same, and stalls begin anew
//	finish    {"verdict":{…},"refused":{…},"unread":…}: after reading everything back; then it ends
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/trials/numbers"
)

func main() {
	var o numbers.Options
	var bootstrap, log string
	var partitions int
	patience := flag.Duration("patience", time.Minute, "how long the end may take")
	flag.StringVar(&bootstrap, "bootstrap", "", "where to begin, host:port with commas")
	flag.StringVar(&o.Topic, "topic", "numbers", "the topic")
	flag.IntVar(&partitions, "partitions", 3, "its partitions")
	flag.IntVar(&o.Rate, "rate", 500, "records a second")
	flag.IntVar(&o.Size, "size", 256, "bytes of a record")
	create := flag.Bool("create", false, "have the topic created by its first use")
	flag.StringVar(&log, "log", "", "a file for what the client says")
	authority := flag.String("ca", "", "a PEM file with who has issued the brokers' certificates: TLS")
	pair := flag.String("pair", "", "a PEM file with a key and a certificate to show")
	flag.Parse()
	o.Target.Bootstrap, o.Partitions, o.MaxBuffered = strings.Split(bootstrap, ","), int32(partitions), 1<<20
	if *create {
		o.Target.Options = []kgo.Opt{kgo.AllowAutoTopicCreation()}
	}
	if *authority != "" {
		secured, err := secure(*authority, *pair)
		if err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			os.Exit(1)
		}
		o.Target.Dial = (&tls.Dialer{NetDialer: &net.Dialer{}, Config: secured}).DialContext
	}
	if err := run(o, log, *patience); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// secure reads what TLS wants; pair may be empty.
func secure(authority, pair string) (*tls.Config, error) {
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", authority)
	}
	if pair == "" {
		return c, nil
	}
	own, err := tls.LoadX509KeyPair(pair, pair)
	c.Certificates = []tls.Certificate{own}
	return c, err
}

func run(o numbers.Options, log string, patience time.Duration) error {
	if log != "" {
		f, err := os.Create(log)
		if err != nil {
			return err
		}
		defer f.Close()
		o.Log = f
	}
	reader, err := startReader(o)
	if err != nil {
		return err
	}
	defer reader.stop()
	load, err := numbers.Start(o)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch word := lines.Text(); word {
		case "stat", "mark":
			stalls := load.Stalls()
			if word == "mark" {
				load.Mark()
			}
			err = out.Encode(Stat{load.Acked(), reader.count(), stalls.All, stalls.Partition, stalls.Own})
		case "finish":
			return finish(o, load, reader, out, patience)
		default:
			err = fmt.Errorf("no such word: %q", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Stat is how the load goes.
type Stat struct {
	Acked     int           `json:"acked"`
	Read      int           `json:"read"` // different numbers
	All       time.Duration `json:"all"`
	Partition time.Duration `json:"partition"`
	Own       time.Duration `json:"own"`
}

// Report is what became of it all.
type Report struct {
	Verdict *numbers.Verdict `json:"verdict"`
	Refused map[string]int   `json:"refused"`
	// Unread were acknowledged, and the group has not read them.
	Unread int `json:"unread"`
}

func finish(o numbers.Options, load *numbers.Load, reader *reader, out *json.Encoder, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sent := load.Finish(ctx)
	verdict, err := numbers.Verify(ctx, o.Target, o.Topic, sent)
	if err != nil {
		return err
	}
	return out.Encode(Report{verdict, sent.Refused, reader.await(ctx, sent)})
}
