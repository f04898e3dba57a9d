package broker

import (
	"log/slog"
	"syscall"
)

const (
	// ownFiles are for the keeper, other brokers, listeners and whatever else is neither a log's file nor a client.
	ownFiles = 256
	// fewestLogFiles is the least that logs work with.
	fewestLogFiles = 64
)

// boundLogFiles is how many files logs may keep open, of the wanted number, where the process may have so many in
// all (RLIMIT_NOFILE, which Go has raised as far as it may) and clients want some for their connections.
func boundLogFiles(all uint64, wanted, connections int, logger *slog.Logger) int {
	if all >= uint64(ownFiles+wanted+connections) {
		return wanted
	}
	forLogs := max(min(wanted, (int(all)-ownFiles)/2), fewestLogFiles)
	forClients := max(int(all)-ownFiles-forLogs, 0)
	logger.Warn("this process may open fewer files than its settings want; raise the limit (ulimit -n, LimitNOFILE=) or lower the settings",
		"limit", all, "storage.max.open.files", wanted, "lowered to", forLogs,
		"max.connections", connections, "room for connections", forClients)
	return forLogs
}

// fileLimit is how many files this process may have open.
func fileLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1 << 62 // unknown: the settings stand
	}
	return limit.Cur
}
