// Command nats is NATS JetStream for the harness in bench: a server that keeps its streams in files, and the generator
// that measures it end to end. It is a module of its own, so that the server's dependencies stay out of the broker's.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nats:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("serve or latency")
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	switch args[0] {
	case "serve":
		listen := flags.String("listen", "", "address")
		dir := flags.String("dir", "", "where streams are kept")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return serve(*listen, *dir)
	case "latency":
		var l load
		flags.StringVar(&l.to, "to", "", "address of the server")
		flags.IntVar(&l.rate, "rate", 1000, "messages a second")
		flags.IntVar(&l.warm, "warm", 0, "messages that are not counted")
		flags.IntVar(&l.total, "total", 1000, "messages in all")
		flags.IntVar(&l.size, "size", 1024, "bytes of a message")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return l.run(os.Stdout)
	}
	return fmt.Errorf("%q is neither serve nor latency", args[0])
}

// serve runs until it is told to stop.
func serve(listen, dir string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{
		Host: host, Port: number, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return fmt.Errorf("not ready within a minute")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	s.Shutdown()
	return nil
}
