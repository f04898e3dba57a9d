package config

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// KRaft's controllers are keepers here. What the variables of apache/kafka's and Bitnami's images say of a quorum is put into the keepers' own
// settings: a process that is broker and controller has a member of the ensemble inside, one that is a broker finds the keepers at the
// voters' hosts, and one that is a controller is a keeper. The ports are the keepers' own, and one more for each further voter on a host.

// voter is an element of controller.quorum.voters, 1@host:9093, or of controller.quorum.bootstrap.servers (KIP-853), host:9093.
type voter struct {
	id   int
	host string
	port int
}

const (
	quorumVoters    = "controller.quorum.voters"
	quorumBootstrap = "controller.quorum.bootstrap.servers"
)

var errVoters = errors.New("want id@host:port, separated by commas")

func parseVoters(list string) ([]voter, error) {
	var voters []voter
	for _, word := range splitList(list) {
		number, address, ok := strings.Cut(word, "@")
		id, err := strconv.Atoi(number)
		if !ok || err != nil || id < 0 {
			return nil, fmt.Errorf("%q: %w", word, errVoters)
		}
		host, port, err := splitHostPort(address)
		if err != nil || host == "" {
			return nil, fmt.Errorf("%q: %w", word, errVoters)
		}
		if slices.ContainsFunc(voters, func(v voter) bool { return v.id == id }) {
			return nil, fmt.Errorf("%d is there twice", id)
		}
		voters = append(voters, voter{id, host, port})
	}
	slices.SortFunc(voters, func(a, b voter) int { return cmp.Compare(a.id, b.id) })
	return voters, nil
}

// keeperNumber is a voter's number as a keeper, 1 to 255: its own, or one more where voters are numbered from 0, or else its place.
func keeperNumber(voters []voter, i int) int {
	switch first, last := voters[0].id, voters[len(voters)-1].id; {
	case first > 0 && last <= 255:
		return voters[i].id
	case first == 0 && last < 255:
		return voters[i].id + 1
	}
	return i + 1
}

// keeperList is the ensemble that a quorum's voters are, as ZOO_SERVERS has it.
func keeperList(voters []voter) string {
	var servers []string
	for i, v := range voters {
		nth := place(voters, i)
		servers = append(servers, fmt.Sprintf("server.%d=%s:%d:%d;%d",
			keeperNumber(voters, i), hostInBrackets(v.host), 2888+nth, 3888+nth, keeperPort+nth))
	}
	return strings.Join(servers, " ")
}

// place is how many of the voters before this one are on its host.
func place(voters []voter, i int) int {
	before := 0
	for _, other := range voters[:i] {
		if other.host == voters[i].host {
			before++
		}
	}
	return before
}

func hostInBrackets(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// quorum puts a quorum's settings into the keepers', unless these are given too.
func (l *loading) quorum() {
	roles := splitList(l.text("process.roles"))
	g := l.static[quorumVoters]
	if strings.TrimSpace(g.value) == "" {
		g = l.static[quorumBootstrap]
	}
	if len(roles) == 0 || strings.TrimSpace(g.value) == "" || !slices.Contains(roles, "broker") ||
		l.text(KeeperConnect.Name) != "" || l.text(KeeperServers.Name) != "" {
		return
	}
	wrong := func(why error) {
		l.problems = append(l.problems, Problem{g.where, g.name, g.name + ": " + why.Error()})
	}
	voters, err := votersOf(g.name, g.value)
	if err != nil {
		wrong(err)
		return
	}
	if !slices.Contains(roles, "controller") {
		var servers []string
		for i, v := range voters {
			servers = append(servers, joinHostPort(v.host, keeperPort+place(voters, i)))
		}
		l.static[KeeperConnect.Name] = given{KeeperConnect.Name, strings.Join(servers, ","), g.where}
		return
	}
	if len(voters) == 1 {
		return // itself
	}
	own, err := ownVoter(g.name, voters, l.text, l.sources)
	if err != nil {
		wrong(err)
		return
	}
	l.static[KeeperServers.Name] = given{KeeperServers.Name, keeperList(voters), g.where}
	l.static[KeeperID.Name] = given{KeeperID.Name, strconv.Itoa(keeperNumber(voters, own)), g.where}
}

func votersOf(setting, list string) ([]voter, error) {
	if setting == quorumBootstrap {
		return parseBootstrap(list)
	}
	return parseVoters(list)
}

// ownVoter is which of the voters this process is: the one with its number, or, where they have none, the one with its address.
func ownVoter(setting string, voters []voter, text func(string) string, sources Sources) (int, error) {
	if setting == quorumBootstrap {
		return ownAddress(voters, text, sources)
	}
	id := text(NodeID.Name)
	own := slices.IndexFunc(voters, func(v voter) bool { return strconv.Itoa(v.id) == id })
	if own < 0 {
		return 0, fmt.Errorf("node.id is %q, and none of the voters has it", id)
	}
	return own, nil
}

// controllerVariables gives a keeper what the variables of a KRaft controller say, in ZooKeeper's words.
func controllerVariables(env []string, sources Sources) map[string]string {
	noFile := func(string) ([]byte, error) { return nil, nil }
	e := readEnvironment(env, func(string) (string, error) { return "", nil }, noFile)
	said := map[string]string{}
	for _, g := range e.settings {
		if d := server[g.name]; d != nil {
			g.name = d.Name
		}
		said[g.name] = strings.TrimSpace(g.value)
	}
	vars := map[string]string{}
	if !slices.Equal(splitList(said["process.roles"]), []string{"controller"}) {
		return vars
	}
	setting := quorumVoters
	if said[setting] == "" {
		setting = quorumBootstrap
	}
	if voters, err := votersOf(setting, said[setting]); err == nil && len(voters) > 0 {
		vars["ZOO_SERVERS"] = keeperList(voters)
		if own, err := ownVoter(setting, voters, func(name string) string { return said[name] }, sources); err == nil {
			vars["ZOO_MY_ID"] = strconv.Itoa(keeperNumber(voters, own))
		}
	}
	if dirs := splitList(cmp.Or(said[LogDirs.Name], said[LogDir.Name])); len(dirs) > 0 {
		vars["ZOO_DATA_DIR"] = filepath.Join(dirs[0], "__keeper")
	}
	if address := said[HTTPListener.Name]; address != "" {
		vars["ZOO_HTTP_LISTENER"] = address
	}
	return vars
}
