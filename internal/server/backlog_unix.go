//go:build unix

package server

import "golang.org/x/sys/unix"

func setBacklog(fd uintptr, backlog int) error { return unix.Listen(int(fd), backlog) }
