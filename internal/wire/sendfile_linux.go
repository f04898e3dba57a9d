package wire

import (
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// maxSendfile is how much one call may send: it bounds the time that one connection keeps a thread.
const maxSendfile = 4 << 20

// sendfile sends a range of a file by its own offset. net.TCPConn.ReadFrom would use the file's
// position, which readers of one segment share.
func sendfile(conn plain, part Range) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	file := part.File.OS()
	defer runtime.KeepAlive(file)
	source, offset, left := int(file.Fd()), part.Position, part.Length
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for left > 0 {
			n, err := unix.Sendfile(int(fd), source, &offset, min(left, maxSendfile))
			switch {
			case n > 0:
				left -= n
			case err == unix.EAGAIN:
				return false
			case err == unix.EINTR:
			case err == nil:
				failed = io.ErrUnexpectedEOF
				return true
			default:
				failed = os.NewSyscallError("sendfile", err)
				return true
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	return failed
}
