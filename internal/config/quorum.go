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
// voters' hosts, and one that is a controller is a keeper. The ports are the keepers' own.

// voter is an element of controller.quorum.voters: 1@host:9093.
type voter struct {
	id   int
	host string
}

var errVoters = errors.New("want id@host:port, separated by commas")

func parseVoters(list string) ([]voter, error) {
	var voters []voter
	for _, word := range splitList(list) {
		number, address, ok := strings.Cut(word, "@")
		id, err := strconv.Atoi(number)
		if !ok || err != nil || id < 0 {
			return nil, fmt.Errorf("%q: %w", word, errVoters)
		}
		host, _, err := splitHostPort(address)
		if err != nil || host == "" {
			return nil, fmt.Errorf("%q: %w", word, errVoters)
		}
		if slices.ContainsFunc(voters, func(v voter) bool { return v.id == id }) {
			return nil, fmt.Errorf("%d is there twice", id)
		}
		voters = append(voters, voter{id, host})
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

// keeperList is the ensemble that a quorum's voters are, as ZOO_SERVERS has it. The error is that of two on one host, whose ports would
// be the same.
func keeperList(voters []voter) (string, error) {
	var servers []string
	for i, v := range voters {
		if slices.ContainsFunc(voters[:i], func(other voter) bool { return other.host == v.host }) {
			return "", fmt.Errorf("two voters are on %s, and keepers have the same ports: give keeper.servers (ZOO_SERVERS) with ports of their own", v.host)
		}
		servers = append(servers, fmt.Sprintf("server.%d=%s:2888:3888;%d", keeperNumber(voters, i), hostInBrackets(v.host), keeperPort))
	}
	return strings.Join(servers, " "), nil
}

func hostInBrackets(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// quorum puts a quorum's settings into the keepers', unless these are given too.
func (l *loading) quorum() {
	roles, g := splitList(l.text("process.roles")), l.static["controller.quorum.voters"]
	if len(roles) == 0 || strings.TrimSpace(g.value) == "" || !slices.Contains(roles, "broker") ||
		l.text(KeeperConnect.Name) != "" || l.text(KeeperServers.Name) != "" {
		return
	}
	voters, err := parseVoters(g.value)
	if err != nil {
		l.problems = append(l.problems, Problem{g.where, g.name, g.name + ": " + err.Error()})
		return
	}
	if !slices.Contains(roles, "controller") {
		var servers []string
		for _, v := range voters {
			servers = append(servers, joinHostPort(v.host, keeperPort))
		}
		l.static[KeeperConnect.Name] = given{KeeperConnect.Name, strings.Join(servers, ","), g.where}
		return
	}
	if len(voters) == 1 {
		return // itself
	}
	servers, err := keeperList(voters)
	id := l.text(NodeID.Name)
	own := slices.IndexFunc(voters, func(v voter) bool { return strconv.Itoa(v.id) == id })
	switch {
	case err != nil:
		l.problems = append(l.problems, Problem{g.where, g.name, g.name + ": " + err.Error()})
	case own < 0:
		l.problems = append(l.problems, Problem{g.where, g.name, fmt.Sprintf("%s: node.id is %q, and none of the voters has it", g.name, id)})
	default:
		l.static[KeeperServers.Name] = given{KeeperServers.Name, servers, g.where}
		l.static[KeeperID.Name] = given{KeeperID.Name, strconv.Itoa(keeperNumber(voters, own)), g.where}
	}
}

// controllerVariables gives a keeper what the variables of a KRaft controller say, in ZooKeeper's words.
func controllerVariables(env []string) map[string]string {
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
	voters, err := parseVoters(said["controller.quorum.voters"])
	if err == nil && len(voters) > 0 {
		if list, err := keeperList(voters); err == nil {
			vars["ZOO_SERVERS"] = list
		}
		for i, v := range voters {
			if strconv.Itoa(v.id) == said[NodeID.Name] {
				vars["ZOO_MY_ID"] = strconv.Itoa(keeperNumber(voters, i))
			}
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
