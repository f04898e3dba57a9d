package broker

import (
	"errors"
	"fmt"
	"syscall"

	"barnabas/internal/config"
	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
	"barnabas/internal/storage"
)

// explain adds to an error of the start what to do about it, where that is known.
func explain(err error, c *config.Broker) error {
	advice := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "another process listens there: stop it, or choose another port with listeners= (KAFKA_LISTENERS) or http.listener= (KAFKA_HTTP_LISTENER)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "the machine has no such address: listen on 0.0.0.0 and put the outside address into advertised.listeners"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		advice = "the user that runs the broker may not: ports below 1024 and directories of others need permission"
	case errors.Is(err, errRealZooKeeper):
		advice = "Barnabas keeps its metadata in keepers of its own: run `barnabas keeper` in ZooKeeper's place, or leave zookeeper.connect out"
	case errors.Is(err, keeper.ErrLogin):
		advice = "correct keeper.user and keeper.password, or the user and the password in zookeeper.connect=etcd://user:password@host:2379"
	case errors.Is(err, metadata.ErrDenied):
		advice = fmt.Sprintf("grant the user of the etcd cluster reading and writing of all keys below %s: etcdctl role grant-permission ROLE readwrite --prefix=true %[1]s", keeper.Root(c.Keepers.Chroot))
	case errors.Is(err, metadata.ErrFull):
		advice = "the keepers take no more: raise their keeper.quota.bytes (ZOO_QUOTA_BYTES), or --quota-backend-bytes of an etcd of your own, and disarm its alarm"
	case errors.Is(err, keeper.ErrAddrInUse):
		advice = "another process listens there: stop it, or choose another address with keeper.listener="
	case errors.Is(err, storage.ErrDirectoryInUse), errors.Is(err, keeper.ErrDirInUse):
		advice = "another broker runs on it: stop that one, or give this one a directory of its own with log.dirs= (KAFKA_LOG_DIRS)"
	case errors.Is(err, storage.ErrWrongCluster), errors.Is(err, metadata.ErrOtherCluster):
		advice = "point the broker at its own cluster (zookeeper.connect=), or give it an empty directory; nothing was changed"
	case errors.Is(err, storage.ErrWrongBroker):
		advice = "give the broker the node.id that the directory remembers, or an empty directory; nothing was changed"
	case errors.Is(err, metadata.ErrBrokerIDTaken):
		advice = "give each broker a node.id (KAFKA_BROKER_ID) of its own"
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w\n  %s", err, advice)
}
