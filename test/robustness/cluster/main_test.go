// Package cluster has three brokers and a keeper live in network namespaces of their own, cuts links between them one
// way and both ways, makes links slow, pauses processes and fills disks, all under a load of numbered records. What was
// acknowledged must be there afterwards, once and in order, and the load must go on.
//
// It wants a Linux where this user may make network namespaces; elsewhere it says so and skips. SOAK=10m has random
// trouble go on for that long (SEED=7 repeats one). SHOW=DIR shows what the processes printed last,
// and keeps there what the client did, and the directories of a cluster that has failed.
package cluster

import (
	"flag"
	"os"
	"testing"

	"barnabas/test/launch"
	"barnabas/test/trials/nodes"
)

// program is the broker under test: $BARNABAS, or what is built once from the tree.
var program string

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == nodes.KeeperCommand {
		nodes.RunKeeper(os.Args[2], os.Args[3])
		return
	}
	flag.Set("test.parallel", "5") // they wait for the most part; who says otherwise on the command line is heard later
	os.Exit(launch.Main(m, func(dir string) (_ func(), err error) {
		program, err = launch.Given(dir)
		return nil, err
	}))
}
