package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// row is an API that is served: all versions from min to max.
type row struct {
	key, min, max int16
	handle        handler
	// inPlace: the handler lets nothing of the request outlive its answer, so the request's strings
	// may point into the frame, and the frame's memory is used again.
	inPlace bool
	// advertised is the lowest version told to clients, where it isn't min (Produce).
	advertised *int16
}

// handler answers a call, now or later.
type handler func(a *API, c *Call, request kmsg.Request)

// now is a handler that returns its answer.
func now[Q kmsg.Request, P kmsg.Response](answer func(*API, *Call, Q) P) handler {
	return func(a *API, c *Call, request kmsg.Request) { c.Reply(answer(a, c, request.(Q))) }
}

// later is a handler that calls c.Reply once, from wherever its answer comes up.
func later[Q kmsg.Request](handle func(*API, *Call, Q)) handler {
	return func(a *API, c *Call, request kmsg.Request) { handle(a, c, request.(Q)) }
}

// rows is the one list of what is served. The ranges are Apache Kafka 4.4's; a key stands here when all
// its versions work.
func rows() []row {
	return []row{
		{key: 18, min: 0, max: 5, handle: now((*API).apiVersions)},
	}
}
