//go:build !linux

package footprint

import (
	"runtime/debug"
	"time"
)

// GiveBack collects what is garbage and gives free memory to the system.
func GiveBack() error {
	debug.FreeOSMemory()
	return nil
}

// Used is what the process has used until now. Its processor time is not asked for here: it never seems to rest.
func Used() Usage {
	now := time.Now()
	return Usage{At: now, Processor: time.Duration(now.UnixNano()), Held: Held()}
}
