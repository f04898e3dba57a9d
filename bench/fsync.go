package main

import (
	"fmt"
	"strings"
	"time"
)

// What is synced before a record is acknowledged, or how soon after.
const (
	syncDefault = "default"
	syncHundred = "every 100 records"
	syncEach    = "every record"
	syncOnAck   = "on acknowledgement"
)

// syncPolicies are settings of both systems, and one of Barnabas alone.
var syncPolicies = []struct {
	what     string
	settings []string
	only     string
}{
	{syncDefault, nil, ""},
	{"every second", []string{"log.flush.interval.ms=1000", "log.flush.scheduler.interval.ms=1000"}, ""},
	{syncHundred, []string{"log.flush.interval.messages=100"}, ""},
	{syncEach, []string{"log.flush.interval.messages=1"}, ""},
	{syncOnAck, []string{"barnabas.fsync.on.ack=true"}, nameBarnabas},
}

const (
	syncWarmUp = 5 * time.Second
	syncFor    = 5 * time.Second
)

// measureFsync is measureSmall under each policy.
func measureFsync(s system) (figures, error) {
	f := figures{}
	for _, policy := range syncPolicies {
		if policy.only != "" && policy.only != s.name() {
			continue
		}
		if err := syncRound(s, policy.what, policy.settings, f); err != nil {
			return nil, fmt.Errorf("%s: %w", policy.what, err)
		}
	}
	return f, nil
}

func syncRound(s system, what string, settings []string, f figures) error {
	n, err := ready(s, smallPartitions, settings...)
	if err != nil {
		return err
	}
	defer n.close()
	small, err := n.small(warmFor(s, syncWarmUp), scaledTime(syncFor))
	if err != nil {
		return err
	}
	for _, name := range []string{"requests/s", "broker CPU-s per million"} {
		f[strings.Join([]string{what, name}, ": ")] = small[name]
	}
	return nil
}
