package metadata

import (
	"context"
	"slices"
)

// Birth says which life of the store this is. An ensemble of keepers that lost its quorum goes on from what one of them
// has, and one that lost everything begins with nothing: each time it is another life, whose revisions are beyond all
// before.
type Birth struct {
	// Ensemble is the life's identity, empty for a store that has one life only.
	Ensemble string
	// Ancestors are the lives that it goes on from, the oldest first.
	Ancestors []string
	// Since is the first revision of this life.
	Since Revision
	// Kept is the revision up to which it has what the life before had, 0 for nothing.
	Kept Revision
}

// goesOnFrom tells whether the life before that one is among the ancestors.
func (b Birth) goesOnFrom(ensemble string) bool { return slices.Contains(b.Ancestors, ensemble) }

// mortal is a Store that may lose everything and be born again.
type mortal interface {
	Birth(ctx context.Context) (Birth, error)
}

// BirthOf is the store's present life.
func BirthOf(ctx context.Context, store Store) (Birth, error) {
	if m, ok := store.(mortal); ok {
		return m.Birth(ctx)
	}
	return Birth{}, nil
}
