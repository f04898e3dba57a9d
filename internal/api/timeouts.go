package api

import (
	"context"
	"time"

	"barnabas/internal/config"
)

// within is a context for a request that says how long it wants to wait, in milliseconds.
func within(timeoutMs int32) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(max(timeoutMs, 0))*time.Millisecond)
}

// withinDefault is a context for a request that does not say (request.timeout.ms).
func (a *API) withinDefault() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), config.RequestTimeout.In(a.Config()))
}
