package nodes

import (
	"fmt"
	"net"
	"os"
	"sync"
)

// Net is a part of the loopback network that nobody else listens in: 127.77.x.0, found by trying. It is this process's
// until that ends. It fails where the system has one loopback address only.
func Net() (string, error) {
	var last error
	for i := range 200 {
		prefix := fmt.Sprintf("127.77.%d.", 1+(os.Getpid()+i)%250)
		mark, err := net.Listen("tcp", prefix+reserved)
		if err != nil {
			last = err
			continue
		}
		if last = free(prefix); last == nil {
			taken.Store(prefix, mark)
			return prefix, nil
		}
		mark.Close()
	}
	return "", fmt.Errorf("no loopback addresses for the nodes: %w", last)
}

// reserved is where who has taken a part of the network listens: others find it taken before any node has started.
const reserved = "254:8079"

// taken keeps the marks: one that nobody refers to is closed with the garbage.
var taken sync.Map

// free tries the ports that a node uses on the addresses of the first nodes.
func free(prefix string) error {
	for host := range 3 {
		for _, port := range []int{9092, 9093, 8080, 2181, 2888, 3888} {
			l, err := net.Listen("tcp", fmt.Sprintf("%s%d:%d", prefix, host+1, port))
			if err != nil {
				return err
			}
			l.Close()
		}
	}
	return nil
}
