//go:build !linux

package vfs

import "errors"

// SyncVolume is not there.
func (l osLock) SyncVolume() error { return errors.ErrUnsupported }
