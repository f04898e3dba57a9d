package main

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// longGiB is the size of the longer log; the shorter one has 1 GiB.
var longGiB = 8.0

const shortBytes = 1 << 30

// measureLength takes the processor time of producing and fetching while the log is short, and again when it is long:
// the same bytes, the newest of the log.
func measureLength(s system) (figures, error) {
	n, err := ready(s, streamPartitions)
	if err != nil {
		return nil, err
	}
	defer n.close()
	warm := newStream(loadTopic, warmValue)
	if err := warm.run(n.oneAddress, scaled(s.warmUp())/warm.records); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	load := newStream(lengthTopic, fetchValue)
	if _, kafkas := s.(clustered); kafkas {
		if err := n.createLong(); err != nil {
			return nil, err
		}
	}
	short, err := n.atLength(load, scaled(shortBytes))
	if err != nil {
		return nil, err
	}
	size := len(load.frames[0])
	most, err := n.roomFor(longGiB)
	if err != nil {
		return nil, err
	}
	for load.sent*size < int(most*scale*(1<<30))-(lengthPieces+1)*scaled(lengthPiece) {
		if err := load.run(n.oneAddress, scaled(shortBytes)/size); err != nil {
			return nil, err
		}
	}
	long, err := n.atLength(load, 0)
	if err != nil {
		return nil, err
	}
	f := figures{"long log, GiB": float64(load.sent*size) / (1 << 30)}
	for what := range short {
		f[what+" at 1 GiB"], f[what+" of the long log"] = short[what], long[what]
		f[what[:len(what)-len(perGB)]+", CPU of the long log / short"] = long[what] / short[what]
	}
	return f, nil
}

// roomKept is how much of the volume the long log leaves free, in GiB.
const roomKept = 6

// roomFor is how long the log may become, in GiB: as asked, or what there is room for. The figure "long log, GiB" tells.
func (n *node) roomFor(wanted float64) (float64, error) {
	var volume unix.Statfs_t
	if err := unix.Statfs(n.dir, &volume); err != nil {
		return 0, err
	}
	free := float64(volume.Bavail)*float64(volume.Bsize)/(1<<30) - roomKept + 1 // a GiB of it is written already
	return max(1, min(wanted*scale, free)) / scale, nil
}

const (
	lengthTopic = "length"
	lengthPiece = 1 << 30 // measured each time
	// lengthPieces are measured one after another, and the median of each figure counts: what others do, and the kernel's writing back, lasts
	// for about a piece.
	lengthPieces = 3
	perGB        = ", CPU-s per GB"
)

func (n *node) createLong() error {
	c, err := dial(n.address())
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.createTopic(lengthTopic, streamPartitions); err != nil {
		return err
	}
	return n.lead(lengthTopic, streamPartitions)
}

// atLength fills the log, and measures producing, and fetching of what was just produced.
func (n *node) atLength(load *stream, fill int) (figures, error) {
	if fill > 0 {
		if err := load.run(n.oneAddress, fill/len(load.frames[0])); err != nil {
			return nil, err
		}
	}
	all := map[string][]float64{}
	for range lengthPieces {
		piece, err := n.lengthPiece(load)
		if err != nil {
			return nil, err
		}
		for what, cost := range piece {
			all[what] = append(all[what], cost)
		}
	}
	f := figures{}
	for what, costs := range all {
		slices.Sort(costs)
		f[what] = median(costs)
	}
	return f, nil
}

// lengthPiece produces and fetches a piece; the limit has no partitions to fetch from.
func (n *node) lengthPiece(load *stream) (figures, error) {
	if err := touchCache(n.dir, scaled(lengthPiece)); err != nil {
		return nil, err
	}
	sent := load.sent
	used, err := load.measure(n.oneAddress, scaled(lengthPiece), n.pid())
	if err != nil {
		return nil, err
	}
	f := figures{"produce" + perGB: used.broker.Seconds() / float64(max(1, load.sent-sent)*len(load.frames[0])) * 1e9}
	if n.system.name() == nameLimit {
		return f, nil
	}
	g, err := startGauge(n.pid())
	if err != nil {
		return nil, err
	}
	r := &reading{node: n, load: load, perPartition: load.sent / streamPartitions, first: sent / streamPartitions}
	read, err := r.run(4 * scaled(lengthPiece))
	if err != nil {
		return nil, err
	}
	used, err = g.stop()
	f["fetch"+perGB] = used.broker.Seconds() / float64(read) * 1e9
	return f, err
}
