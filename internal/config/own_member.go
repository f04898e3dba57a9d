package config

import (
	"os"
	"strings"
)

// ownMember is the number of the member that runs on this machine, or in this pod: the one whose host is the machine's name, or
// begins with it, as keeper-0.keeper does in a pod of a StatefulSet that is called keeper-0. It is 0 where that is nobody's or
// several ones' name. POD_NAME, which a pod may be given, comes before what the system says.
func ownMember(members []Member, sources Sources) int {
	for _, name := range machineNames(sources) {
		found := 0
		for _, m := range members {
			if m.Host != name && !strings.HasPrefix(m.Host, name+".") {
				continue
			}
			if found != 0 {
				return 0
			}
			found = m.ID
		}
		if found != 0 {
			return found
		}
	}
	return 0
}

func machineNames(sources Sources) []string {
	var names []string
	for _, variable := range sources.Env {
		if name, ok := strings.CutPrefix(variable, "POD_NAME="); ok && name != "" {
			names = append(names, name)
		}
	}
	hostname := sources.Hostname
	if hostname == nil {
		hostname = os.Hostname
	}
	if name, err := hostname(); err == nil && name != "" {
		short, _, _ := strings.Cut(name, ".")
		names = append(names, name, short)
	}
	return names
}
