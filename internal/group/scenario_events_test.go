package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/coordinator"
	"barnabas/internal/record"
)

// events are what a scenario's lines can be. Where no group is named it is g.
var events map[string]func(*world, *arguments)

func init() {
	events = map[string]func(*world, *arguments){
		"config":         configure,
		"join":           joinEvent,
		"sync":           syncEvent,
		"heartbeat":      heartbeatEvent,
		"leave":          leaveEvent,
		"commit":         commitEvent,
		"fetch":          fetchEvent,
		"describe":       describeEvent,
		"list":           listEvent,
		"delete":         deleteEvent,
		"delete-offsets": deleteOffsetsEvent,
		"topic-deleted":  topicDeletedEvent,
		"refuse":         refuseEvent,
		"restart":        restartEvent,
		"resign":         resignEvent,
		"loading":        loadingEvent,
	}
}

// config NAME VALUE changes the settings, before anything else.
func configure(w *world, a *arguments) {
	switch a.word(0) {
	case "max-size":
		fmt.Sscan(a.word(1), &w.config.MaxSize)
	case "initial-delay":
		w.config.InitialRebalanceDelay = a.duration(a.word(1))
	case "retention":
		w.config.OffsetsRetention = a.duration(a.word(1))
	case "check-interval":
		w.config.OffsetsCheckInterval = a.duration(a.word(1))
	default:
		w.t.Fatal("no such setting: ", a.line)
	}
	w.groups.Close()
	w.start()
}

// join CLIENT [member=ID] [instance=I] [type=T] [protocols=range:t1,t2;sticky:t1] [version=N] [session=D]
// [rebalance=D] [reason=WORD]
func joinEvent(w *world, a *arguments) {
	client := a.word(0)
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version = int16(a.number("version", 9))
	r.Group = a.value("group", "g")
	r.MemberID = a.value("member", "")
	r.InstanceID = a.optional("instance")
	r.ProtocolType = a.value("type", "consumer")
	r.SessionTimeoutMillis = int32(a.duration(a.value("session", "10s")).Milliseconds())
	r.RebalanceTimeoutMillis = int32(a.duration(a.value("rebalance", "60s")).Milliseconds())
	r.Reason = a.optional("reason")
	for p := range strings.SplitSeq(a.value("protocols", "range:t"), ";") {
		name, topics, _ := strings.Cut(p, ":")
		if name != "" {
			r.Protocols = append(r.Protocols, protocol{
				Name:     name,
				Metadata: subscribe(strings.Split(topics, ",")...),
			})
		}
	}
	w.groups.JoinGroup(Client{ID: client, Host: "/10.0.0.1"}, r, func(j *kmsg.JoinGroupResponse) {
		if j.ErrorCode != 0 {
			w.reply("%s: join %s member=%s", client, codeName(j.ErrorCode), orDash(j.MemberID))
			return
		}
		var members []string
		for _, m := range j.Members {
			topics, _ := subscription(m.ProtocolMetadata)
			members = append(members, m.MemberID+"("+strings.Join(topics, ",")+")")
		}
		skip := ""
		if j.SkipAssignment {
			skip = " skip-assignment"
		}
		w.reply("%s: joined member=%s generation=%d leader=%s protocol=%s/%s members=%v%s", client,
			j.MemberID, j.Generation, j.LeaderID, text(j.ProtocolType), text(j.Protocol), members, skip)
	})
}

// sync CLIENT member=ID generation=N [instance=I] [protocol=P] [assign=ID:x,ID:y]
func syncEvent(w *world, a *arguments) {
	client := a.word(0)
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version = 5
	r.Group = a.value("group", "g")
	r.MemberID = a.value("member", "")
	r.InstanceID = a.optional("instance")
	r.Generation = int32(a.number("generation", 1))
	r.ProtocolType = a.optional("type")
	r.Protocol = a.optional("protocol")
	for one := range strings.SplitSeq(a.value("assign", ""), ",") {
		if id, assignment, ok := strings.Cut(one, ":"); ok {
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
				MemberID:         id,
				MemberAssignment: []byte(assignment),
			})
		}
	}
	w.groups.SyncGroup(r, func(s *kmsg.SyncGroupResponse) {
		if s.ErrorCode != 0 {
			w.reply("%s: sync %s", client, codeName(s.ErrorCode))
			return
		}
		w.reply("%s: synced assignment=%s protocol=%s/%s", client,
			orDash(string(s.MemberAssignment)), text(s.ProtocolType), text(s.Protocol))
	})
}

// heartbeat CLIENT member=ID generation=N [instance=I]
func heartbeatEvent(w *world, a *arguments) {
	client := a.word(0)
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group = a.value("group", "g")
	r.MemberID = a.value("member", "")
	r.InstanceID = a.optional("instance")
	r.Generation = int32(a.number("generation", 1))
	w.groups.Heartbeat(r, func(code int16) { w.reply("%s: heartbeat %s", client, codeName(code)) })
}

// leave MEMBER[/INSTANCE]... [version=N]
func leaveEvent(w *world, a *arguments) {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version = int16(a.number("version", 5))
	r.Group = a.value("group", "g")
	for _, word := range a.words {
		id, instance, static := strings.Cut(word, "/")
		m := kmsg.LeaveGroupRequestMember{MemberID: id}
		if static {
			m.InstanceID = &instance
		}
		r.MemberID = id
		r.Members = append(r.Members, m)
	}
	w.groups.LeaveGroup(r, func(l *kmsg.LeaveGroupResponse) {
		line := "left " + codeName(l.ErrorCode)
		for _, m := range l.Members {
			line += fmt.Sprintf(" %s/%s=%s", orDash(m.MemberID), text(m.InstanceID), codeName(m.ErrorCode))
		}
		w.reply("%s", line)
	})
}

// commit TOPIC-PARTITION=OFFSET... [member=ID] [generation=N] [instance=I] [version=N] [retention=D]
// [metadata=TEXT]
func commitEvent(w *world, a *arguments) {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version = int16(a.number("version", 9))
	r.Group = a.value("group", "g")
	r.MemberID = a.value("member", "")
	r.InstanceID = a.optional("instance")
	r.Generation = int32(a.number("generation", -1))
	r.RetentionTimeMillis = -1
	if d := a.value("retention", ""); d != "" {
		r.RetentionTimeMillis = a.duration(d).Milliseconds()
	}
	metadata := a.optional("metadata")
	if metadata != nil && *metadata == "LONG" {
		*metadata = strings.Repeat("x", w.config.OffsetMetadataMax+1)
	}
	for _, tp := range slices.Sorted(maps.Keys(a.values)) {
		dash := strings.LastIndexByte(tp, '-')
		if dash < 0 {
			continue
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		fmt.Sscan(tp[dash+1:], &p.Partition)
		p.Offset = int64(a.number(tp, 0))
		p.Metadata = metadata
		topic := kmsg.OffsetCommitRequestTopic{Topic: tp[:dash]}
		topic.Partitions = append(topic.Partitions, p)
		r.Topics = append(r.Topics, topic)
	}
	w.groups.CommitOffsets(r, func(codes [][]int16) {
		line := "committed"
		for i, topic := range codes {
			for j, code := range topic {
				line += fmt.Sprintf(" %s-%d=%s", r.Topics[i].Topic,
					r.Topics[i].Partitions[j].Partition, codeName(code))
			}
		}
		w.reply("%s", line)
	})
}

// fetch [TOPIC-PARTITION...]: all, if none is named
func fetchEvent(w *world, a *arguments) {
	r := kmsg.NewOffsetFetchRequestGroup()
	r.Group = a.value("group", "g")
	for _, tp := range a.words {
		dash := strings.LastIndexByte(tp, '-')
		p := int32(0)
		fmt.Sscan(tp[dash+1:], &p)
		r.Topics = append(r.Topics,
			kmsg.OffsetFetchRequestGroupTopic{Topic: tp[:dash], Partitions: []int32{p}})
	}
	w.groups.FetchOffsets(&r, func(f kmsg.OffsetFetchResponseGroup) {
		line := "fetched " + codeName(f.ErrorCode)
		for _, topic := range f.Topics {
			for _, p := range topic.Partitions {
				line += fmt.Sprintf(" %s-%d=%d", topic.Topic, p.Partition, p.Offset)
				if *p.Metadata != "" {
					line += "(" + *p.Metadata + ")"
				}
			}
		}
		w.reply("%s", line)
	})
}

// describe [version=N]
func describeEvent(w *world, a *arguments) {
	version := a.number("version", 6)
	w.groups.Describe(a.value("group", "g"), int16(version),
		func(d kmsg.DescribeGroupsResponseGroup) {
			line := fmt.Sprintf("group %s %s state=%s protocol=%s/%s", d.Group, codeName(d.ErrorCode),
				d.State, orDash(d.ProtocolType), orDash(d.Protocol))
			if d.ErrorMessage != nil {
				line += fmt.Sprintf(" %q", *d.ErrorMessage)
			}
			for _, m := range d.Members {
				line += fmt.Sprintf(" %s(%s%s instance=%s)=%s", m.MemberID, m.ClientID, m.ClientHost,
					text(m.InstanceID), orDash(string(m.MemberAssignment)))
			}
			w.reply("%s", line)
		})
}

// list [STATE...] [types=T,T]
func listEvent(w *world, a *arguments) {
	var types []string
	if v := a.value("types", ""); v != "" {
		types = strings.Split(v, ",")
	}
	w.groups.List(a.words, types, func(l *kmsg.ListGroupsResponse) {
		var groups []string
		for _, g := range l.Groups {
			groups = append(groups, fmt.Sprintf("%s(%s %s %s)", g.Group, orDash(g.ProtocolType),
				g.GroupState, g.GroupType))
		}
		slices.Sort(groups)
		w.reply("listed %s %v", codeName(l.ErrorCode), groups)
	})
}

// delete [group=G]
func deleteEvent(w *world, a *arguments) {
	w.groups.DeleteGroup(a.value("group", "g"), func(code int16) {
		w.reply("deleted %s", codeName(code))
	})
}

// delete-offsets TOPIC-PARTITION...
func deleteOffsetsEvent(w *world, a *arguments) {
	r := kmsg.NewPtrOffsetDeleteRequest()
	r.Group = a.value("group", "g")
	for _, tp := range a.words {
		dash := strings.LastIndexByte(tp, '-')
		p := kmsg.NewOffsetDeleteRequestTopicPartition()
		fmt.Sscan(tp[dash+1:], &p.Partition)
		r.Topics = append(r.Topics, kmsg.OffsetDeleteRequestTopic{
			Topic:      tp[:dash],
			Partitions: []kmsg.OffsetDeleteRequestTopicPartition{p},
		})
	}
	w.groups.DeleteOffsets(r, func(whole int16, codes [][]int16) {
		line := "offsets deleted " + codeName(whole)
		for i := range codes {
			line += fmt.Sprintf(" %s=%s", a.words[i], codeName(codes[i][0]))
		}
		w.reply("%s", line)
	})
}

// topic-deleted TOPIC...
func topicDeletedEvent(w *world, a *arguments) {
	var topics []DeletedTopic
	for _, name := range a.words {
		topics = append(topics, DeletedTopic{Name: name})
	}
	w.groups.TopicsDeleted(topics)
}

// refuse: the next append finds too few replicas
func refuseEvent(w *world, _ *arguments) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.log.refuse = coordinator.ErrNotEnoughReplicas
}

// restart: another broker takes over the log
func restartEvent(w *world, _ *arguments) {
	w.groups.Close()
	w.start()
}

// resign: the leadership is lost
func resignEvent(w *world, _ *arguments) { w.groups.Resign(0, w.epoch) }

// loading: the leadership is had again, but the log isn't read yet
func loadingEvent(w *world, _ *arguments) {
	w.epoch++
	w.groups.Elect(0, w.epoch, loadingLog{w.log})
}

// loadingLog fails to be read for now.
type loadingLog struct{ *testLog }

func (loadingLog) EndOffset() (end record.Offset) { return 1 }
func (loadingLog) Read(record.Offset, int) ([]byte, error) {
	return nil, coordinator.ErrStorage
}

func codeName(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.TypedErrorForCode(code).Message
}
