package wire

// NewRawReply is a reply that another broker has written: header and body.
func NewRawReply(frame []byte) Reply {
	b := NewBuffer(sizeBytes)
	b.Bytes = append(b.Bytes[:sizeBytes], frame...)
	return Reply{buffer: b}.End()
}
