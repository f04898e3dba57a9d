// Barnabas is one program: the broker, its keeper and all the tools. The name it is called by
// picks one of them; see internal/cli.
package main

import (
	"os"

	"barnabas/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args))
}
