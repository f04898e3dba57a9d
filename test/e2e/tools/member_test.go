package tools

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// memberCommand joins a group of the classic kind as a member that stays until the script ends, whatever the protocol:
//
//	member GROUP PROTOCOL
func memberCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: member GROUP PROTOCOL")
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BROKER")))
	ts.Check(err)
	ts.Defer(client.Close)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = args[0], args[1]
	join.SessionTimeoutMillis = int32((20 * time.Minute).Milliseconds()) // nobody sends heartbeats
	join.RebalanceTimeoutMillis = join.SessionTimeoutMillis
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = "some"
	join.Protocols = append(join.Protocols, protocol)
	for {
		answer, err := join.RequestWith(ctx, client)
		ts.Check(err)
		if answer.ErrorCode != kerr.MemberIDRequired.Code {
			ts.Check(kerr.ErrorForCode(answer.ErrorCode))
			return
		}
		join.MemberID = answer.MemberID
	}
}
