package metadata

import "context"

// Usage is how much room a store has taken of what it may take.
type Usage struct {
	// Bytes is what the keys and their history take, Quota the most that they may take; 0 where that is not known.
	Bytes, Quota int64
}

const (
	// growPercent is the share of a quota beyond which nothing is added to the metadata. A store that has reached its quota takes
	// no writes at all, those of elections, in-sync sets and registrations neither: they have the rest.
	growPercent = 80
	// nearPercent is the share from which on that is said.
	nearPercent = 75
)

// GrowsUntil is how far the metadata may grow, in bytes; 0 where that is not known.
func (u Usage) GrowsUntil() int64 { return u.Quota / 100 * growPercent }

// NearlyFull tells that little or nothing may be added.
func (u Usage) NearlyFull() bool { return u.Quota > 0 && u.Bytes > u.Quota/100*nearPercent }

// bounded is a Store that refuses writes once it has reached its quota.
type bounded interface {
	Usage(ctx context.Context) (Usage, error)
}

// UsageOf is how full the store is; the zero Usage is that of one without bounds.
func UsageOf(ctx context.Context, store Store) (Usage, error) {
	if b, ok := store.(bounded); ok {
		return b.Usage(ctx)
	}
	return Usage{}, nil
}
