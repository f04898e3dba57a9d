// Package traffic is the clients of a simulation: producers, readers, members of groups and an administrator, each
// a goroutine with random numbers of its own, which enters all that it asks for and is told into the history.
// They speak the protocol directly and not through a client library, so that a retry, a duplicate and a request
// given up on happen when the seed says so.
package traffic
