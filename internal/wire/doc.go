// Package wire turns bytes of the Kafka protocol into requests and replies into bytes. It bounds what
// comes in: a frame's size, a request's elements. It knows kmsg's messages and no socket; it owns no
// goroutine.
//
// A request's way in: [ParseHeader] reads the header, [Decode] checks the body against its schema and
// hands it to kmsg. The way out: a [Reply] is bytes with ranges of files between them, so that
// fetched records go from the page cache to the socket with sendfile.
package wire
