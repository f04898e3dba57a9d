package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"barnabas/internal/vfs"
)

// lockCache waits until no other build uses the folder: apt-get refuses to share its lists, and a program that is being written is
// no program yet. Whoever is killed leaves no lock behind.
func lockCache(ctx context.Context, cache string) (vfs.Lock, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	const poll = 50 * time.Millisecond
	for {
		lock, err := vfs.OS.Lock(filepath.Join(cache, ".lock"))
		if !errors.Is(err, vfs.ErrLocked) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another build uses %s: %w", cache, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}
