// Package jute is ZooKeeper's wire format: frames of a four-byte length and a record, whose fields follow one another
// in network order. A string, a buffer or a vector begins with its length; -1 is a null one, which is not an empty one.
//
// The package knows bytes and names, and decides nothing. What arrives is never trusted: a length that promises more than
// the frame holds is an error before anything is allocated.
package jute
