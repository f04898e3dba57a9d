package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"barnabas/internal/cli/argp"
	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// serverProcess is a running broker of this machine.
type serverProcess struct {
	pid  int
	args []string // of the broker, without the program's name
	env  []string // nil if it can't be seen
	dir  string   // where it was started
}

// runServerStop is kafka-server-stop: it signals the brokers that run on this machine as this user.
func runServerStop(_ context.Context, env *Env, args []string) error {
	p := argp.New("kafka-server-stop", "This tool tells the brokers on this machine to stop. $SIGNAL names another signal than TERM.")
	role := p.Text("--process-role", "ROLE", "Only brokers with these process.roles.")
	node := p.Int("--node-id", "ID", "Only the broker with this node.id. It goes before --process-role.")
	if err := env.parseArguments(p, args, false); err != nil {
		return err
	}
	if role.Set() && node.Set() {
		env.printf("When both node-id and process-role are provided, the value for node-id will take precedence\n")
	}
	var wanted func(serverProcess) bool
	switch {
	case node.Set():
		wanted = func(s serverProcess) bool { return s.nodeID() == ident.BrokerID(node.Number()) }
	case role.Set():
		wanted = func(s serverProcess) bool { return s.roles() == role.Value() }
	default:
		wanted = func(serverProcess) bool { return true }
	}
	return env.stopServers(wanted)
}

func (env *Env) stopServers(wanted func(serverProcess) bool) error {
	number, err := signalNumber(env.Getenv("SIGNAL"))
	if err != nil {
		return err
	}
	var failures []error
	stopped := 0
	for _, server := range runningServers("/proc") {
		if !wanted(server) {
			continue
		}
		if err := syscall.Kill(server.pid, number); err != nil {
			failures = append(failures, fmt.Errorf("process %d: %w", server.pid, err))
			continue
		}
		stopped++
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if stopped == 0 {
		env.printf("No kafka server to stop\n")
		return exitFailure
	}
	return nil
}

var signals = map[string]syscall.Signal{
	"": syscall.SIGTERM, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP,
	"QUIT": syscall.SIGQUIT, "KILL": syscall.SIGKILL, "ABRT": syscall.SIGABRT, "STOP": syscall.SIGSTOP,
}

func signalNumber(name string) (syscall.Signal, error) {
	if known, ok := signals[strings.TrimPrefix(strings.ToUpper(name), "SIG")]; ok {
		return known, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n), nil
	}
	return 0, fmt.Errorf("SIGNAL=%s: there is no such signal", name)
}

// runningServers reads the table of processes at proc. A process of another user is left out, unless
// this one may signal them all.
func runningServers(proc string) []serverProcess {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var servers []serverProcess
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		path := filepath.Join(proc, entry.Name())
		line, err := os.ReadFile(filepath.Join(path, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		args, ok := serverArguments(strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00"))
		if !ok || !signallable(path) {
			continue
		}
		server := serverProcess{pid: pid, args: args}
		server.dir, _ = os.Readlink(filepath.Join(path, "cwd"))
		if text, err := os.ReadFile(filepath.Join(path, "environ")); err == nil {
			server.env = strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		}
		servers = append(servers, server)
	}
	return servers
}

// signallable says whether the process is this user's, or this user is the superuser.
func signallable(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return os.Geteuid() == 0 || ok && int(owner.Uid) == os.Geteuid()
}

// serverArguments recognises a broker by its command line: barnabas server …, or the name of Kafka's
// script.
func serverArguments(argv []string) (args []string, ok bool) {
	switch {
	case programName(argv[0]) == "kafka-server-start":
		return argv[1:], true
	case programName(argv[0]) == "barnabas" && len(argv) > 1 && (argv[1] == "server" || programName(argv[1]) == "kafka-server-start"):
		return argv[2:], true
	}
	return nil, false
}

// sources are where the process has its configuration from.
func (s serverProcess) sources() config.Sources {
	sources := config.Sources{
		Env: s.env,
		// Commands in the environment are for the broker to run, not for whoever looks at it.
		Run: func(string) (string, error) { return "", nil },
	}
	for i := 0; i < len(s.args); i++ {
		name, value, attached := strings.Cut(s.args[i], "=")
		switch strings.TrimLeft(name, "-") {
		case "daemon":
			continue
		case "override", "config":
			if !attached && i+1 < len(s.args) {
				i++
				value = s.args[i]
			}
			if strings.HasSuffix(name, "override") {
				sources.Overrides = append(sources.Overrides, value)
			} else {
				sources.File = s.path(value)
			}
		default:
			sources.File = s.path(s.args[i])
		}
	}
	return sources
}

// path is a path as the process sees it.
func (s serverProcess) path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.dir, path)
}

// nodeID is what the process is configured with or, where the cluster gave it an id, what its log
// directories say; ident.NoBroker if neither can be known.
func (s serverProcess) nodeID() ident.BrokerID {
	broker, _, err := config.Load(s.sources())
	if err != nil {
		return ident.NoBroker
	}
	if broker.NodeID >= 0 {
		return ident.BrokerID(broker.NodeID)
	}
	for _, dir := range broker.LogDirs {
		if meta, found, err := storage.ReadMetaProperties(vfs.OS, s.path(dir)); err == nil && found {
			return meta.BrokerID
		}
	}
	return ident.NoBroker
}

// roles is process.roles as the process was given it; a process that was given none is a broker.
func (s serverProcess) roles() string {
	sources := s.sources()
	roles := "broker"
	if sources.File != "" {
		if file, err := loadProperties(sources.File); err == nil && file["process.roles"] != "" {
			roles = file["process.roles"]
		}
	}
	for _, variable := range s.env {
		if value, ok := strings.CutPrefix(variable, "KAFKA_PROCESS_ROLES="); ok {
			roles = value
		}
	}
	for _, override := range sources.Overrides {
		if value, ok := strings.CutPrefix(override, "process.roles="); ok {
			roles = value
		}
	}
	parts := strings.Split(strings.ReplaceAll(roles, " ", ""), ",")
	return strings.Join(slices.Compact(parts), ",")
}

// stopCommand is `barnabas stop`.
func stopCommand(m *modern) *cobra.Command {
	var node int32
	var all bool
	cmd := &cobra.Command{
		Use: "stop", Short: "Tell the brokers on this machine to stop", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all == cmd.Flags().Changed("node-id") {
				return usagef("say which broker: --node-id, or --all")
			}
			return m.env.stopServers(func(s serverProcess) bool { return all || s.nodeID() == ident.BrokerID(node) })
		},
	}
	cmd.Flags().Int32Var(&node, "node-id", -1, "the broker with this id")
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	return cmd
}
