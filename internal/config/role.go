package config

import "strings"

// Role is what a container of the one image is to be.
type Role string

// The roles, by the words of the command line that start them.
const (
	BrokerRole Role = "server"
	KeeperRole Role = "keeper"
)

// RoleOf tells a container's role from its variables: a keeper where it has a keeper's number (ZOO_MY_ID) and no setting
// of a broker, or where it is a controller of KRaft's and no broker; else a broker, which runs its keeper inside where it has a number too. What
// Kubernetes sets for a namespace's Services is in the environment of keepers as well, and says nothing.
func RoleOf(env []string) Role {
	keeper, broker := false, false
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" {
			continue
		}
		_, ofImage := imageVariables[name]
		switch {
		case name == "ZOO_MY_ID":
			keeper = true
		case (name == "KAFKA_PROCESS_ROLES" || name == "KAFKA_CFG_PROCESS_ROLES") && strings.TrimSpace(value) == "controller":
			return KeeperRole
		case strings.HasPrefix(name, "KAFKA_") && !ofImage && !isServiceLink(name, value):
			broker = true
		}
	}
	if keeper && !broker {
		return KeeperRole
	}
	return BrokerRole
}
