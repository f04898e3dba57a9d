// Package server accepts connections and carries frames: requests to a [Handler] in the order they
// came, replies back in that same order. It knows sockets, bounds and time, and no API.
//
// A connection is one goroutine that reads, handles and, when no earlier reply is owed, writes; so a
// request that can be answered at once changes no goroutine. Replies that come later are written by a
// goroutine that lives while there are some. A sweeper per server closes connections that are idle or
// do not read, so no request needs a timer.
//
// On Linux a connection on which nothing comes but what can wait (Options.Patient), now and then, gives up its goroutine, and one
// goroutine for all such, the lane, reads them, many at a time. As soon as something else is asked it has a goroutine again.
package server
