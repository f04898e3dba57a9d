package etcdstore

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"barnabas/internal/metadata"
)

// Usage is how full the member is that this client speaks with; all members hold the same. An etcd before 3.6 does not tell
// its quota.
func (s *Store) Usage(ctx context.Context) (metadata.Usage, error) {
	ctx, cancel, err := s.with(ctx, "status")
	if err != nil {
		return metadata.Usage{}, err
	}
	defer cancel()
	status, err := s.status(ctx)
	if err != nil {
		return metadata.Usage{}, s.wrap(ctx, "status", err)
	}
	return metadata.Usage{Bytes: status.DbSizeInUse, Quota: status.DbSizeQuota}, nil
}

// status asks on the connection that there is: etcd's client would dial a member for it.
func (s *Store) status(ctx context.Context) (*pb.StatusResponse, error) {
	if conn := s.client.ActiveConnection(); conn != nil {
		return pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
	}
	status, err := s.client.Status(ctx, "") // of a member in this process
	return (*pb.StatusResponse)(status), err
}
