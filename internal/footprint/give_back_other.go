//go:build !linux

package footprint

import "runtime/debug"

// GiveBack collects what is garbage and gives free memory to the system.
func GiveBack() error {
	debug.FreeOSMemory()
	return nil
}
