package config

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sources are the places where a configuration comes from. A later one wins: the file, the environment, the
// overrides.
type Sources struct {
	File      string   // a server.properties; "" for none
	Env       []string // as os.Environ gives it
	Overrides []string // key=value, as --override takes them
	// Run runs a command of HOSTNAME_COMMAND and its like, and returns what it prints; nil is /bin/sh.
	Run func(command string) (string, error)
	// ReadFile reads the files of passwords that variables name; nil is os.ReadFile.
	ReadFile func(name string) ([]byte, error)
	// Hostname is the machine's name, which an address that is every address advertises; nil is os.Hostname.
	Hostname func() (string, error)
}

// commandTimeout bounds a command of the environment, so that a start does not hang on it.
const commandTimeout = 10 * time.Second

func runShell(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/bin/sh", "-c", command).Output()
	return string(out), err
}

// loading is one call of Load: what was given, and what is made of it.
type loading struct {
	sources  Sources
	static   map[string]given // by the setting's own name
	view     *View
	broker   *Broker
	notices  []Notice
	problems []Problem
}

// Load reads a broker's configuration from all its sources and checks it. Its error is Problems: everything
// that is wrong, in one go. The notices are worth a line in the log each, and come with an error as well.
func Load(sources Sources) (*Broker, []Notice, error) {
	if sources.Run == nil {
		sources.Run = runShell
	}
	if sources.ReadFile == nil {
		sources.ReadFile = os.ReadFile
	}
	if sources.Hostname == nil {
		sources.Hostname = os.Hostname
	}
	l := &loading{sources: sources, static: map[string]given{}, broker: &Broker{}}
	l.readFile()
	env := readEnvironment(sources.Env, sources.Run, sources.ReadFile)
	l.notices = append(l.notices, env.notices...)
	l.problems = append(l.problems, env.problems...)
	l.take(env.settings)
	l.readOverrides()
	l.quorum()
	l.checkValues()
	l.resolve()
	if len(l.problems) > 0 {
		slices.SortStableFunc(l.problems, inOrder)
		return nil, l.notices, Problems(l.problems)
	}
	return l.broker, l.notices, nil
}

// inOrder puts problems in the order of their sources, and those of the file in that of its lines.
func inOrder(a, b Problem) int {
	rank := func(where string) (source, line int) {
		i := strings.LastIndexByte(where, ':')
		line, err := strconv.Atoi(where[i+1:])
		switch {
		case where == "":
			return 3, 0
		case strings.HasPrefix(where, "--"):
			return 2, 0
		case i < 0 || err != nil:
			return 1, 0
		}
		return 0, line
	}
	sourceA, lineA := rank(a.Where)
	sourceB, lineB := rank(b.Where)
	return cmp.Or(cmp.Compare(sourceA, sourceB), cmp.Compare(lineA, lineB), cmp.Compare(a.Where, b.Where))
}

func (l *loading) readFile() {
	if l.sources.File == "" {
		return
	}
	data, err := os.ReadFile(l.sources.File)
	if err != nil {
		l.problems = append(l.problems, Problem{Message: err.Error()})
		return
	}
	settings, problems := readProperties(l.sources.File, data)
	l.problems = append(l.problems, problems...)
	l.take(settings)
}

func (l *loading) readOverrides() {
	var settings []given
	for _, override := range l.sources.Overrides {
		name, value, ok := strings.Cut(override, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			l.problems = append(l.problems, Problem{Where: "--override " + override, Message: "want name=value"})
			continue
		}
		settings = append(settings, given{name, strings.TrimSpace(value), "--override " + name})
	}
	l.take(settings)
}

// take adds the settings of one source, over what earlier sources gave. Two names of one setting must not
// differ within a source: which one is meant is anybody's guess.
func (l *loading) take(settings []given) {
	names := map[string]string{}
	for _, g := range settings {
		written := g.name
		if d := server[g.name]; d != nil {
			g.name = d.Name
		}
		other, twice := names[g.name]
		if before := l.static[g.name]; twice && before.value != g.value &&
			(other != written || !strings.Contains(g.where, ":") && before.where != g.where) {
			l.problems = append(l.problems, Problem{g.where, g.name,
				fmt.Sprintf("%s says otherwise than %s, and both give %s", g.where, before.where, g.name)})
		}
		names[g.name] = written
		l.static[g.name] = g
	}
}

// checkValues parses every setting, and names those that have no meaning here.
func (l *loading) checkValues() {
	for _, name := range slices.Sorted(maps.Keys(l.static)) {
		g := l.static[name]
		d := server[name]
		if _, own := sslOfListener(name); own {
			d = server[listenerPrefix().ReplaceAllString(name, "")]
		}
		if d == nil {
			l.unused(g)
			continue
		}
		if _, err := d.Parse(g.value); err != nil {
			l.problems = append(l.problems, Problem{g.where, name, err.Error()})
		}
	}
	static := make(map[string]string, len(l.static))
	for name, g := range l.static {
		if _, own := sslOfListener(name); server[name] != nil || own {
			static[name] = g.value
		}
	}
	l.view = newView(&layers{static: static})
	l.broker.view = l.view
}

// resolve puts together the settings that mean something only with others.
func (l *loading) resolve() {
	b, v := l.broker, l.view
	b.NodeID = int32(NodeID.In(v))
	b.Rack = BrokerRack.In(v)
	b.ClusterID = ClusterID.In(v)
	l.listeners()
	l.outside()
	l.logDirs()
	l.http()
	l.keepers()
	l.member()
	l.roles()
	topics, err := parseTopics(CreateTopics.In(v))
	if err != nil {
		l.problem(CreateTopics.Def, err.Error())
	}
	b.Topics = topics
	if low, high := GroupMinSessionTimeout.In(v), GroupMaxSessionTimeout.In(v); low > high {
		l.problem(GroupMinSessionTimeout.Def, "is more than group.max.session.timeout.ms")
	}
	if low, high := MinCompactionLagMs.In(v), MaxCompactionLagMs.In(v); low > high {
		l.problem(server[MinCompactionLagMs.Family[0].Name], "is more than log.cleaner.max.compaction.lag.ms")
	}
	if CheckTogether(v) != nil {
		l.problem(CleanerDedupeBuffer.Def, "must be more than 1048576 for each of log.cleaner.threads")
	}
}

func (l *loading) logDirs() {
	d, dirs := LogDirs.Def, LogDirs.In(l.view)
	if len(dirs) == 0 {
		d, dirs = LogDir.Def, LogDir.In(l.view)
	}
	if len(dirs) == 0 {
		l.problem(d, "there is no directory")
	}
	for i, dir := range dirs {
		if dir == "" {
			l.problem(d, "a directory has no name")
		}
		if slices.Contains(dirs[:i], dir) {
			l.problem(d, dir+" is there twice")
		}
	}
	l.broker.LogDirs = dirs
}

func (l *loading) http() {
	address := HTTPListener.In(l.view)
	if address == "" || address == "none" {
		return
	}
	address = strings.TrimPrefix(address, "http://")
	if _, _, err := splitHostPort(address); err != nil {
		l.problem(HTTPListener.Def, fmt.Sprintf("%q is not host:port: %v", address, err))
	}
	_, chosen := l.view.layers.static[HTTPListener.Name]
	l.broker.HTTP, l.broker.HTTPByDefault = address, !chosen
}

func (l *loading) keepers() {
	written, _ := l.view.Text(KeeperConnect.Name)
	keepers, err := ParseKeepers(written)
	if err != nil {
		l.problem(KeeperConnect.Def, err.Error())
	}
	if user := KeeperUser.In(l.view); user != "" {
		keepers.User = user
	}
	if password := KeeperPassword.In(l.view); password != "" {
		keepers.Password = password
	}
	files := KeeperTLSFiles{KeeperTLSCA.In(l.view), KeeperTLSCertificate.In(l.view), KeeperTLSKey.In(l.view)}
	if KeeperTLS.In(l.view) || files != (KeeperTLSFiles{}) {
		keepers.TLS = &files
	}
	if (files.Certificate == "") != (files.Key == "") {
		l.problem(KeeperTLSCertificate.Def, "keeper.tls.certificate and keeper.tls.key are given together or not at all")
	}
	l.broker.Keepers = keepers
}

// roles makes of KRaft's settings what they can mean here: a process that is its own controller runs its
// own keeper. What there is of a quorum is in the keepers' settings by now.
func (l *loading) roles() {
	roles := splitList(l.text("process.roles"))
	if len(roles) == 0 || len(l.broker.Keepers.Servers) > 0 {
		return
	}
	g := l.static["process.roles"]
	switch {
	case !slices.Contains(roles, "broker"):
		l.problems = append(l.problems, Problem{g.where, g.name,
			"has no broker in it: a controller alone is a keeper here, run `barnabas keeper`"})
	case !slices.Contains(roles, "controller") && !l.failedSetting(quorumVoters) && !l.failedSetting(quorumBootstrap):
		l.problems = append(l.problems, Problem{g.where, g.name,
			"the cluster's metadata is elsewhere: name the keepers in zookeeper.connect, or the hosts where they run in controller.quorum.voters or controller.quorum.bootstrap.servers"})
	}
}

func (l *loading) has(name string) bool { _, ok := l.static[name]; return ok }

// text is the value of a setting that has no row of its own.
func (l *loading) text(name string) string { return strings.TrimSpace(l.static[name].value) }

// problem says what is wrong with a row's value, and where that was given.
func (l *loading) problem(d *Def, message string) {
	where := l.static[d.Name].where
	if !strings.HasSuffix(where, " "+d.Name) { // an override says which it is
		message = d.Name + ": " + message
	}
	l.problems = append(l.problems, Problem{where, d.Name, message})
}

func (l *loading) failed(d *Def) bool { return l.failedSetting(d.Name) }

func (l *loading) failedSetting(name string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool { return p.Name == name })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func joinHostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
