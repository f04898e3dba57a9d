package keeper

import (
	"context"
	"log/slog"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver"

	"barnabas/internal/metadata"
)

const (
	// tendEvery is how often a keeper looks at its file.
	tendEvery = time.Second
	// spareBytes is how much of the file may be empty whatever its size.
	spareBytes = 16 << 20
	// tight is the share of the quota, in percent, above which history goes before its time, every forgetEvery at most: whoever
	// watches and is behind has to read everything anew.
	tight       = 70
	forgetEvery = 5 * time.Second
	// roomy is the share of the quota, in percent, below which an alarm is taken back.
	roomy = 90
	// complainEvery is how often the log says that nothing can be added.
	complainEvery = time.Minute
	// tendWithin bounds each step.
	tendWithin = 10 * time.Second
)

// maintenance keeps the key space's file small. History is compacted by etcd itself; what that frees is given back
// here, once half of the file is empty. Where the metadata come near their quota all history goes; brokers add nothing any more
// above a share of it (metadata.Usage). A file that has reached its quota all the same raises an alarm, by which nothing is written
// any more: all history is compacted then, the file is packed, and if that has made room the alarm is taken back. It
// belongs to the goroutine that looks after the server.
type maintenance struct {
	next, said time.Time
	forgot     time.Time // when history went before its time
	complained time.Time // when it was last said that nothing can be added
	quota      int64
	logger     *slog.Logger
	pages      pages
	mapped     int64 // the file's size when its mapping was looked at
}

// look does what is due.
func (t *maintenance) look(ctx context.Context, server *etcdserver.EtcdServer) {
	now := time.Now()
	if now.Before(t.next) {
		return
	}
	leads := server.Leader() == server.MemberID()
	if !leads && server.AppliedIndex() < server.CommittedIndex() {
		return // it may be putting a snapshot in place: etcd sets its alarms anew then, and guards them against nobody
	}
	t.next = now.Add(tendEvery)
	ctx, cancel := context.WithTimeout(ctx, tendWithin)
	defer cancel()
	alarmed := full(server)
	crowded := server.Backend().SizeInUse() > t.quota/100*tight && now.Sub(t.forgot) > forgetEvery
	if leads && (len(alarmed) > 0 || crowded) {
		t.forgot = now
		t.forget(ctx, server)
	}
	size, used := server.Backend().Size(), server.Backend().SizeInUse()
	if leads {
		t.complain(now, metadata.Usage{Bytes: used, Quota: t.quota})
	}
	if alarmed[uint64(server.MemberID())] && used < size || size > spareBytes && used < size/2 {
		began := time.Now()
		if err := server.Backend().Defrag(); err != nil {
			t.logger.Warn("keeper: the metadata's file can't be packed", "error", err)
			return
		}
		t.mapped = 0
		t.logger.Info("keeper: the metadata's file is packed", "bytes", server.Backend().Size(), "before", size,
			"took", time.Since(began).Round(time.Millisecond).String())
	}
	if alarmed[uint64(server.MemberID())] {
		t.disarm(ctx, server)
	}
	if size == t.mapped {
		return // it is mapped anew when it grows, or is packed
	}
	if err := t.pages.forget(server.Cfg.BackendPath()); err != nil {
		t.logger.Debug("keeper: more memory is resident than needed", "error", err)
		return
	}
	t.mapped = size
}

// complain says that brokers will add nothing to the metadata any more, or do so already.
func (t *maintenance) complain(now time.Time, usage metadata.Usage) {
	if !usage.NearlyFull() || now.Sub(t.complained) < complainEvery {
		return
	}
	t.complained = now
	t.logger.Error("keeper: the metadata are near their quota, and from 80 % of it on no topics and partitions are added: delete topics, or raise keeper.quota.bytes (ZOO_QUOTA_BYTES)",
		"bytes", usage.Bytes, "addedUntil", usage.GrowsUntil(), "quota", usage.Quota)
}

// full are the members whose file has reached its quota.
func full(server *etcdserver.EtcdServer) map[uint64]bool {
	alarmed := map[uint64]bool{}
	for _, a := range server.Alarms() {
		if a.Alarm == pb.AlarmType_NOSPACE {
			alarmed[a.MemberID] = true
		}
	}
	return alarmed
}

// forget compacts all history.
func (t *maintenance) forget(ctx context.Context, server *etcdserver.EtcdServer) {
	revision := server.KV().Rev()
	if server.KV().FirstRev() >= revision {
		return
	}
	if _, err := server.Compact(ctx, &pb.CompactionRequest{Revision: revision, Physical: true}); err != nil {
		t.logger.Warn("keeper: the metadata's history can't be compacted", "error", err)
	}
}

// disarm takes the alarm back if there is room, and says that there is none otherwise.
func (t *maintenance) disarm(ctx context.Context, server *etcdserver.EtcdServer) {
	size := server.Backend().Size()
	if size > t.quota/100*roomy {
		if time.Since(t.said) > sayEvery {
			t.said = time.Now()
			t.logger.Error("keeper: the metadata has reached its quota, and nothing is written any more, no deletion either: raise keeper.quota.bytes (ZOO_QUOTA_BYTES)",
				"bytes", size, "quota", t.quota)
		}
		return
	}
	_, err := server.Alarm(ctx, &pb.AlarmRequest{
		Action: pb.AlarmRequest_DEACTIVATE, MemberID: uint64(server.MemberID()), Alarm: pb.AlarmType_NOSPACE,
	})
	if err != nil {
		t.logger.Warn("keeper: the alarm can't be taken back", "error", err)
		return
	}
	t.logger.Warn("keeper: the metadata had reached its quota; its history was dropped, and there is room again", "bytes", size, "quota", t.quota)
}

// tend looks after a keeper that is alone.
func (k *Keeper) tend() {
	defer close(k.tended)
	t := maintenance{quota: k.options.Quota, logger: k.options.Logger}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-k.stopping:
			return
		case <-k.server.StopNotify():
			return
		case <-ticker.C:
			t.look(ctx, k.server)
		}
	}
}
