package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Keeper is the configuration of one member of the ensemble, as ZooKeeper's image and its zoo.cfg give it.
type Keeper struct {
	ID      int      // 1 to 255: which of the members this is
	Members []Member // all of them, by ID; a keeper alone is one
	DataDir string
	// TickTime is ZooKeeper's unit of time, in which sessions are counted.
	TickTime             time.Duration
	MaxClientConnections int    // from one address; 0 is no bound
	HTTP                 string // host:port; "" for none
	// HTTPByDefault tells that nobody chose HTTP: where it is taken, another port of loopback does.
	HTTPByDefault bool
	// Advertised is the host under which other members reach this one; "" to find it out.
	Advertised string
	// Tick is the heartbeat between members, and Quota the most that the metadata may take on the disk in bytes.
	Tick  time.Duration
	Quota int64
	// FourLetterWords are the commands that the client port answers; "*" is all.
	FourLetterWords []string
	// Events tells whether Kubernetes Events are written, in a pod whose service account may.
	Events bool
}

// Member is one keeper as the others know it.
type Member struct {
	ID           int
	Host         string // 0.0.0.0 where a member knows itself only so, and the others tell it its name
	PeerPort     int    // members among themselves
	RollCallPort int    // the port that ZooKeeper elects on
	ClientHost   string // "" is every address
	ClientPort   int
	Observer     bool
}

// keeperSettings are what zoo.cfg and ZOO_ variables may say: the name in zoo.cfg, the variable, the default.
var keeperSettings = []struct{ name, variable, value string }{
	{"dataDir", "ZOO_DATA_DIR", "data"},
	{"tickTime", "ZOO_TICK_TIME", "2000"},
	{"maxClientCnxns", "ZOO_MAX_CLIENT_CNXNS", "60"},
	{"clientPort", "ZOO_PORT", "2181"},
	{"4lw.commands.whitelist", "ZOO_4LW_COMMANDS_WHITELIST", "srvr"},
	{"http.listener", "ZOO_HTTP_LISTENER", "127.0.0.1:8080"},
	{"keeper.advertised.host", "ZOO_ADVERTISED_HOST", ""},
	{"keeper.heartbeat.ms", "ZOO_HEARTBEAT_MS", "100"},
	{"keeper.quota.bytes", "ZOO_QUOTA_BYTES", "2147483648"},
	{"kubernetes.events", "ZOO_KUBERNETES_EVENTS", "true"},
}

// keeperUnused are names of ZooKeeper's that have no meaning here, by why.
var keeperUnused = map[string]string{
	"ZOO_DATA_LOG_DIR": keeperOneDir, "dataLogDir": keeperOneDir,
	"ZOO_INIT_LIMIT": keeperLimits, "initLimit": keeperLimits,
	"ZOO_SYNC_LIMIT": keeperLimits, "syncLimit": keeperLimits,
	"ZOO_AUTOPURGE_PURGEINTERVAL": keeperPurge, "autopurge.purgeInterval": keeperPurge,
	"ZOO_AUTOPURGE_SNAPRETAINCOUNT": keeperPurge, "autopurge.snapRetainCount": keeperPurge,
	"ZOO_STANDALONE_ENABLED": keeperAlone, "standaloneEnabled": keeperAlone,
	"reconfigEnabled": keeperAlone, "ZOO_ADMINSERVER_ENABLED": keeperAdmin, "admin.enableServer": keeperAdmin,
	"ZOO_LOG_DIR": noLog4j, "ZOO_LOG4J_PROP": noLog4j, "ZOO_CONF_DIR": "", "ZOO_USER": "", "ZOO_VERSION": "",
}

const (
	keeperOneDir = "is not used: a keeper has one directory"
	keeperLimits = "is not used: a keeper measures its peers itself"
	keeperPurge  = "is not used: a keeper purges by itself"
	keeperAlone  = "is not used: members are replaced as they come"
	keeperAdmin  = "is not used: health and metrics are at http.listener"
)

// keeperLoading is one call of LoadKeeper.
type keeperLoading struct {
	values   map[string]given
	servers  map[int]given
	keeper   *Keeper
	sources  Sources
	notices  []Notice
	problems []Problem
}

// LoadKeeper reads a keeper's configuration: a zoo.cfg, then ZOO_ variables, then overrides. Its error is Problems.
func LoadKeeper(sources Sources) (*Keeper, []Notice, error) {
	l := &keeperLoading{values: map[string]given{}, servers: map[int]given{}, keeper: &Keeper{}, sources: sources}
	for _, s := range keeperSettings {
		l.values[s.name] = given{name: s.name, value: s.value}
	}
	if sources.File != "" {
		data, err := os.ReadFile(sources.File)
		if err != nil {
			l.problems = append(l.problems, Problem{Message: err.Error()})
		}
		settings, problems := readProperties(sources.File, data)
		l.problems = append(l.problems, problems...)
		for _, g := range settings {
			l.take(g)
		}
	}
	l.environment(sources.Env)
	for _, override := range sources.Overrides {
		name, value, ok := strings.Cut(override, "=")
		if !ok {
			l.problems = append(l.problems, Problem{Where: "--override " + override, Message: "want name=value"})
			continue
		}
		l.take(given{strings.TrimSpace(name), strings.TrimSpace(value), "--override " + name})
	}
	l.resolve()
	if len(l.problems) > 0 {
		return nil, l.notices, Problems(l.problems)
	}
	return l.keeper, l.notices, nil
}

func (l *keeperLoading) environment(env []string) {
	vars := map[string]string{}
	for _, variable := range env {
		name, value, ok := strings.Cut(variable, "=")
		if ok && value != "" && strings.HasPrefix(name, "ZOO_") && !isServiceLink(name, value) {
			vars[name] = value
		}
	}
	for name, value := range controllerVariables(env, l.sources) {
		if vars[name] == "" {
			vars[name] = value
		}
	}
	for _, s := range keeperSettings {
		if value, ok := vars[s.variable]; ok {
			l.take(given{s.name, value, s.variable})
			delete(vars, s.variable)
		}
	}
	l.serverList(vars["ZOO_SERVERS"])
	for _, variable := range []string{"ZOO_MY_ID", "ZOO_SERVER_ID"} {
		if id, ok := vars[variable]; ok {
			l.take(given{"myid", id, variable})
			delete(vars, variable)
		}
	}
	for _, extra := range strings.Fields(vars["ZOO_CFG_EXTRA"]) {
		name, value, _ := strings.Cut(extra, "=")
		l.take(given{name, value, "ZOO_CFG_EXTRA"})
	}
	delete(vars, "ZOO_SERVERS")
	delete(vars, "ZOO_CFG_EXTRA")
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		l.unused(name, name)
	}
}

// serverList reads ZOO_SERVERS: `server.1=zoo1:2888:3888;2181 server.2=…`, separated by white space as the official
// image has it, or by commas; or `zoo1:2888:3888,zoo2:2888:3888` numbered from 1 (or `zoo1:2888:3888::1`), as Bitnami's has.
func (l *keeperLoading) serverList(list string) {
	words := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	if !strings.Contains(list, "server.") {
		words = strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", ;\t\n", r) })
	}
	for i, word := range words {
		name, address, ok := strings.Cut(word, "=")
		if !ok {
			address, name, ok = strings.Cut(word, "::")
			if !ok {
				name = strconv.Itoa(i + 1)
			}
			name = "server." + name
		}
		l.take(given{name, address, "ZOO_SERVERS"})
	}
}

func (l *keeperLoading) take(g given) {
	if number, ok := strings.CutPrefix(g.name, "server."); ok {
		id, err := strconv.Atoi(number)
		if err != nil || id < 1 || id > 255 {
			l.problem(g, "the number of a server is 1 to 255")
			return
		}
		if before, twice := l.servers[id]; twice && before.where == g.where && before.value != g.value {
			l.problem(g, "server."+number+" is there twice")
		}
		l.servers[id] = g
		return
	}
	if _, known := l.values[g.name]; !known && g.name != "myid" && g.name != "clientPortAddress" {
		l.unused(g.name, g.where)
		return
	}
	l.values[g.name] = g
}

func (l *keeperLoading) unused(name, where string) {
	why, known := keeperUnused[name]
	switch {
	case !known:
		l.notices = append(l.notices, Notice{where, name, "is not a setting of a keeper", false})
	case why != "":
		l.notices = append(l.notices, Notice{where, name, why, true})
	}
}

func (l *keeperLoading) problem(g given, message string) {
	l.problems = append(l.problems, Problem{g.where, g.name, g.name + ": " + message})
}

func (l *keeperLoading) resolve() {
	k := l.keeper
	k.DataDir = l.values["dataDir"].value
	k.TickTime = time.Duration(l.number("tickTime", 1, 1<<31-1)) * time.Millisecond
	k.MaxClientConnections = l.number("maxClientCnxns", 0, 1<<31-1)
	k.FourLetterWords = splitList(l.values["4lw.commands.whitelist"].value)
	if address := l.values["http.listener"]; address.value != "none" {
		if _, _, err := splitHostPort(address.value); err != nil {
			l.problem(address, fmt.Sprintf("%q is not host:port: %v", address.value, err))
		}
		k.HTTP, k.HTTPByDefault = address.value, address.where == ""
	}
	k.Advertised = l.values["keeper.advertised.host"].value
	k.Tick = time.Duration(l.number("keeper.heartbeat.ms", 5, 10000)) * time.Millisecond
	k.Quota = int64(l.number("keeper.quota.bytes", 16<<20, 1<<40))
	events, err := strconv.ParseBool(l.values["kubernetes.events"].value)
	if err != nil {
		l.problem(l.values["kubernetes.events"], fmt.Sprintf("%q is neither true nor false", l.values["kubernetes.events"].value))
	}
	k.Events = events
	clientPort := l.number("clientPort", 0, 65535)
	for _, id := range slices.Sorted(maps.Keys(l.servers)) {
		m, err := parseMember(id, l.servers[id].value, clientPort)
		if err != nil {
			l.problem(l.servers[id], err.Error())
		}
		k.Members = append(k.Members, m)
	}
	if len(k.Members) == 0 {
		k.Members = []Member{{ID: 1, Host: "localhost", PeerPort: 2888, RollCallPort: 3888,
			ClientPort: clientPort}}
	}
	l.identity()
	for i, m := range k.Members {
		if m.ID == k.ID && !strings.Contains(l.servers[m.ID].value, ";") { // the list says nothing of its clients
			k.Members[i].ClientHost = l.values["clientPortAddress"].value
		}
	}
}

// identity finds which member this is: from the variable, from the file myid as ZooKeeper keeps it, because there is
// only one, or from the machine's name.
func (l *keeperLoading) identity() {
	k := l.keeper
	g, ok := l.values["myid"]
	if !ok {
		g.where = filepath.Join(k.DataDir, "myid")
		data, err := os.ReadFile(g.where)
		switch {
		case err == nil:
			g.value = strings.TrimSpace(string(data))
		case len(k.Members) == 1:
			k.ID = k.Members[0].ID
			return
		default:
			if k.ID = ownMember(k.Members, l.sources); k.ID == 0 {
				l.problems = append(l.problems, Problem{Name: "myid",
					Message: "which of the servers is this? None has this machine's name; set ZOO_MY_ID"})
			}
			return
		}
	}
	id, err := strconv.Atoi(g.value)
	if err != nil || !slices.ContainsFunc(k.Members, func(m Member) bool { return m.ID == id }) {
		l.problems = append(l.problems, Problem{g.where, "myid",
			fmt.Sprintf("%s is not the number of one of the servers", g.value)})
	}
	k.ID = id
}

func (l *keeperLoading) number(name string, low, high int) int {
	g := l.values[name]
	n, err := strconv.Atoi(g.value)
	if err != nil || n < low || n > high {
		l.problem(g, fmt.Sprintf("%q is not a number from %d to %d", g.value, low, high))
	}
	return n
}

// parseMember reads host:peerPort:rollCallPort[:observer][;[clientHost:]clientPort]. Of several addresses
// separated by | the first counts.
func parseMember(id int, s string, clientPort int) (Member, error) {
	m := Member{ID: id, ClientPort: clientPort}
	servers, client, hasClient := strings.Cut(s, ";")
	servers, _, _ = strings.Cut(servers, "|")
	for _, role := range []string{":observer", ":participant"} {
		if rest, ok := strings.CutSuffix(servers, role); ok {
			servers, m.Observer = rest, role == ":observer"
		}
	}
	i := strings.LastIndexByte(servers, ':')
	if i < 0 {
		return m, fmt.Errorf("%q is not host:2888:3888;2181", s)
	}
	var err error
	if m.Host, m.PeerPort, err = splitHostPort(servers[:i]); err != nil || m.Host == "" {
		return m, fmt.Errorf("%q is not host:2888:3888;2181", s)
	}
	if m.RollCallPort, err = strconv.Atoi(servers[i+1:]); err != nil || m.RollCallPort < 0 || m.RollCallPort > 65535 {
		return m, fmt.Errorf("%q is not a port", servers[i+1:])
	}
	if !hasClient {
		return m, nil
	}
	if !strings.Contains(client, ":") {
		client = ":" + client
	}
	if m.ClientHost, m.ClientPort, err = splitHostPort(client); err != nil {
		return m, fmt.Errorf("the client's address: %w", err)
	}
	return m, nil
}
