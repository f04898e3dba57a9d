package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/vfs"
)

// metaProperties is a log directory's meta.properties: who it belongs to.
type metaProperties struct {
	cluster   ident.ClusterID
	broker    ident.BrokerID
	directory ident.StoreID
}

// readMetaProperties reads a directory's file. exists is false if there's none.
func readMetaProperties(fsys vfs.FS, dir string) (m metaProperties, exists bool, err error) {
	path := filepath.Join(dir, metaPropertiesName)
	data, err := vfs.ReadFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		return metaProperties{broker: ident.NoBroker}, false, nil
	}
	if err != nil {
		return m, false, err
	}
	m, err = parseMetaProperties(data)
	if err != nil {
		return m, true, fmt.Errorf("%s: %w", path, err)
	}
	return m, true, nil
}

// parseMetaProperties takes version 1 (node.id) and version 0, which had broker.id.
func parseMetaProperties(data []byte) (metaProperties, error) {
	m := metaProperties{broker: ident.NoBroker}
	for number, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 0 {
			return m, fmt.Errorf("line %d has no value: %w", number+1, errMalformed)
		}
		if err := m.set(strings.TrimSpace(line[:at]), strings.TrimSpace(line[at+1:])); err != nil {
			return m, fmt.Errorf("line %d: %w", number+1, errors.Join(errMalformed, err))
		}
	}
	return m, nil
}

func (m *metaProperties) set(key, value string) (err error) {
	switch key {
	case "version":
		if value != "0" && value != "1" {
			err = fmt.Errorf("version %q is not known", value)
		}
	case "node.id", "broker.id":
		var id int64
		id, err = strconv.ParseInt(value, 10, 32)
		if err == nil && id < 0 {
			err = fmt.Errorf("%s is %d", key, id)
		}
		m.broker = ident.BrokerID(id)
	case "cluster.id":
		m.cluster, err = ident.ParseClusterID(value)
	case "directory.id":
		m.directory, err = ident.ParseStoreID(value)
	}
	return err
}

func (m metaProperties) encode() []byte {
	buf := []byte("version=1\n")
	if m.broker >= 0 {
		buf = fmt.Appendf(buf, "node.id=%d\n", m.broker)
	}
	if !m.cluster.IsZero() {
		buf = fmt.Appendf(buf, "cluster.id=%s\n", m.cluster)
	}
	return fmt.Appendf(buf, "directory.id=%s\n", m.directory)
}

func (m metaProperties) write(fsys vfs.FS, dir string) error {
	return vfs.WriteFileAtomic(fsys, filepath.Join(dir, metaPropertiesName), m.encode())
}

// parsePartitionMetadata reads a partition's partition.metadata, which holds the id of its topic.
func parsePartitionMetadata(data []byte) (id ident.TopicID, err error) {
	for _, line := range strings.Split(string(data), "\n") {
		key, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found {
			continue
		}
		value = strings.TrimSpace(value)
		switch key {
		case "version":
			if value != "0" {
				return id, fmt.Errorf("version %q: %w", value, errMalformed)
			}
		case "topic_id":
			if id, err = ident.ParseTopicID(value); err != nil {
				return id, errors.Join(errMalformed, err)
			}
		}
	}
	if id.IsZero() {
		return id, fmt.Errorf("no topic_id: %w", errMalformed)
	}
	return id, nil
}

func encodePartitionMetadata(id ident.TopicID) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s", id)
}
