package api

import (
	"log/slog"

	"barnabas/internal/ident"
)

// Deps are the rooms that handlers call.
type Deps struct {
	Broker ident.BrokerID
	Logger *slog.Logger
}
