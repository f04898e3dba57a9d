// Package world is what a simulated broker lives in: a network, and machines with a disk and a boot, all in
// memory and on the virtual clock of a testing/synctest bubble. A machine runs the broker that users run, and
// may be killed, crashed, wiped, and given a failing disk or slow keepers.
package world
