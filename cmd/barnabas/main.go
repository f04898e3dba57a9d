// Barnabas is one program with many names: a message broker that speaks the Kafka protocol, and the tools
// that go with it. It looks at the name it was called by (kafka-topics.sh …) and at its first argument.
package main

import (
	"os"

	"barnabas/internal/cli"
)

func main() {
	argv := started(os.Args, os.Environ())
	if args, ok := calledAs(argv, "kafka-server-start", "server"); ok {
		os.Exit(serve(args))
	}
	if args, ok := calledAs(argv, "zookeeper-server-start", "keeper"); ok {
		os.Exit(serveKeeper(args))
	}
	os.Exit(cli.Main(argv))
}
