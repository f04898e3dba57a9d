package api

// observe counts an answered request.
func (c *Call) observe(replyBytes int) {}
