package storage

import (
	"barnabas/internal/vfs"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// openOrCreate opens a file for reading and writing, and makes it if need be.
const openOrCreate = os.O_RDWR | os.O_CREATE

// fileKind is one of the files of a segment.
type fileKind uint8

const (
	recordsFile fileKind = iota
	offsetIndexFile
	timeIndexFile
	txnIndexFile
	snapshotFile
)

var fileSuffixes = [...]string{
	recordsFile:     ".log",
	offsetIndexFile: ".index",
	timeIndexFile:   ".timeindex",
	txnIndexFile:    ".txnindex",
	snapshotFile:    ".snapshot",
}

// The marks that a file's name bears after its suffix while it is on its way.
const (
	deletedMark = ".deleted" // to be removed after file.delete.delay.ms
	cleanedMark = ".cleaned" // being written by the cleaner; worthless after a crash
	swapMark    = ".swap"    // written by the cleaner; takes the place of what it was made from, also after a crash
)

// The names of the files in a log directory and in a partition's.
const (
	metaPropertiesName     = "meta.properties"
	lockName               = ".lock"
	cleanMarkName          = ".kafka_cleanshutdown"
	recoveryPointName      = "recovery-point-offset-checkpoint"
	startOffsetName        = "log-start-offset-checkpoint"
	highWatermarkName      = "replication-offset-checkpoint"
	cleanerOffsetName      = "cleaner-offset-checkpoint"
	writtenOffsetName      = "written-offset-checkpoint"
	probeName              = ".barnabas_probe"
	leaderEpochsName       = "leader-epoch-checkpoint"
	partitionMetadataName  = "partition.metadata"
	deleteDirSuffix        = "-delete"
	maxPartitionDirNameLen = 255
)

// segmentFileName is a segment's file: 20 digits of its base offset and what it is.
func segmentFileName(base record.Offset, kind fileKind) string {
	return fmt.Sprintf("%020d%s", int64(base), fileSuffixes[kind])
}

// segmentFile is a file's name, taken apart.
type segmentFile struct {
	base record.Offset
	kind fileKind
	mark string // one of the marks, or empty
}

// parseSegmentFile reads a file's name; ok is false for the names of other things.
func parseSegmentFile(name string) (f segmentFile, ok bool) {
	digits, suffix, found := strings.Cut(name, ".")
	if !found || digits == "" || len(digits) > 20 {
		return f, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || base < 0 || digits[0] == '+' {
		return f, false
	}
	f.base = record.Offset(base)
	suffix = "." + suffix
	for _, mark := range [...]string{deletedMark, cleanedMark, swapMark} {
		if rest, marked := strings.CutSuffix(suffix, mark); marked {
			suffix, f.mark = rest, mark
			break
		}
	}
	for kind, known := range fileSuffixes {
		if suffix == known {
			f.kind = fileKind(kind)
			return f, true
		}
	}
	return f, false
}

// parsePartitionDir reads the name of a partition's directory, topic-partition.
func parsePartitionDir(name string) (ident.TopicPartition, bool) {
	dash := strings.LastIndexByte(name, '-')
	if dash <= 0 || dash+1 == len(name) || name[dash+1] == '+' {
		return ident.TopicPartition{}, false
	}
	partition, err := strconv.ParseInt(name[dash+1:], 10, 32)
	if err != nil || partition < 0 {
		return ident.TopicPartition{}, false
	}
	return ident.TopicPartition{Topic: name[:dash], Partition: int32(partition)}, true
}

// deletedDirName is what a partition's directory is called until it is removed:
// topic-partition.<id>-delete, with the topic's name cut so that the whole is a file name.
func deletedDirName(tp ident.TopicPartition, id ident.StoreID) string {
	unique := fmt.Sprintf("-%d.%x%s", tp.Partition, id[:], deleteDirSuffix)
	topic := tp.Topic
	if room := maxPartitionDirNameLen - len(unique); len(topic) > room {
		topic = topic[:room]
	}
	return topic + unique
}

// isDeletedDir recognises deletedDirName.
func isDeletedDir(name string) bool {
	rest, ok := strings.CutSuffix(name, deleteDirSuffix)
	if !ok {
		return false
	}
	dot := strings.LastIndexByte(rest, '.')
	return dot > 0 && len(rest)-dot-1 == 32
}

// removeFile removes a file; one that is gone already is no error.
func removeFile(fsys vfs.FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
