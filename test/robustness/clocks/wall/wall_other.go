//go:build !linux || !amd64

package wall

// Supported says that the clock can be shifted on this machine.
const Supported = false
