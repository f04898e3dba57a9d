package keeper

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver"
)

// afterElection is how long a write may still be on its way when another leader is elected: what the leader before had
// passed on comes through with the new one's first entry, and the rest never does.
const afterElection = 100 * time.Millisecond

// untilElection gives up writes that went to a leader that is no more. etcd would have their clients wait for seven
// seconds; told at once that nobody knows, they look and try again.
func untilElection(server *etcdserver.EtcdServer) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		switch request.(type) {
		case *pb.TxnRequest, *pb.PutRequest, *pb.DeleteRangeRequest, *pb.LeaseGrantRequest, *pb.LeaseRevokeRequest:
		default:
			return handler(ctx, request)
		}
		if server.Leader() == 0 {
			return handler(ctx, request) // it waits for the new leader by itself
		}
		changed := server.LeaderChangedNotify()
		within, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		done := make(chan struct{})
		defer close(done)
		go func() {
			select {
			case <-done:
			case <-changed:
				select {
				case <-done:
				case <-time.After(afterElection):
					cancel(errElection)
				}
			}
		}()
		response, err := handler(within, request)
		if err != nil && errors.Is(context.Cause(within), errElection) && ctx.Err() == nil {
			return nil, grpcstatus.Error(codes.Unavailable, errElection.Error())
		}
		return response, err
	}
}

var errElection = errors.New("keeper: another leader was elected meanwhile; whether the write took place is unknown")
