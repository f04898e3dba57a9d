package main

import (
	"path/filepath"
	"strings"

	"barnabas/internal/config"
)

// started turns the words that start a container, whichever image it was written for, into those of this program: `start`,
// wurstmeister/kafka's start-kafka.sh and zookeeper's zkServer.sh start-foreground, as the name of the program or its
// first argument. What the container is to be stands in its environment. Other words stay.
func started(argv, env []string) []string {
	for i, word := range argv[:min(2, len(argv))] {
		name := filepath.Base(word)
		switch {
		case i == 1 && name == "start" && filepath.Base(argv[0]) == "barnabas", name == "start-kafka.sh":
			return append([]string{argv[0], string(config.RoleOf(env))}, argv[i+1:]...)
		case name == "zkServer.sh" && len(argv) == i+2 && strings.HasPrefix(argv[i+1], "start"):
			return []string{argv[0], string(config.KeeperRole)}
		}
	}
	return argv
}
