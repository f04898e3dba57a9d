// Package wall shifts the wall clock of the process that it is built into, by so many seconds as a file says at the
// moment of asking. The clock that only goes forward is left alone, as when somebody sets a machine's time.
//
// A time namespace does not shift the wall clock, and a static binary asks no library for it. It asks the function that
// the kernel maps into every process, by an address that the runtime keeps: here another function stands there.
// Files' times stay the kernel's.
package wall

// Variable names the file in the environment: eight bytes, a number of seconds in the machine's byte order. Without it
// nothing is shifted.
const Variable = "WALL_CLOCK_OFFSET"
