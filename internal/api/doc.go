// Package api answers the requests of the Kafka protocol. It sees no socket: a frame comes in as an
// [Exchange], and a reply goes back through it.
//
// Each API has a file of its own, NN_name.go, whose header says which versions are served and how they
// behave. A handler translates: it authorises, calls one room, and maps the room's errors to codes
// (errors.go). table.go is the one list of keys, versions and handlers; a key without a row is not
// advertised and closes the connection, as in Kafka.
//
// A handler runs on its connection's goroutine and may wait there: the connection then reads nothing
// more, as in Kafka. One that would wait for others (acks=all, a joining group) answers later from
// wherever its answer comes up, and keeps no goroutine.
package api
