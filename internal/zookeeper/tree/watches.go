package tree

import (
	"strings"

	"barnabas/internal/zookeeper/jute"
)

// Mode is how a watch is meant; one path may be watched in several modes at once.
type Mode uint8

// The modes of a watch.
const (
	// Once is gone when it has fired.
	Once Mode = 1 << iota
	// Persistent stays.
	Persistent
	// Recursive stays, and sees every node below too.
	Recursive
	anyMode = Once | Persistent | Recursive
)

// Table is one of the two sets of watches that ZooKeeper keeps: those on nodes and their data, and those on children.
type Table uint8

// The tables.
const (
	DataWatches Table = iota
	ChildWatches
)

// Watches are who watches what. A watcher is a connection.
type Watches[W comparable] struct {
	tables    [2]watchTable[W]
	recursive int
}

type watchTable[W comparable] struct {
	byPath    map[string]map[W]Mode
	byWatcher map[W]map[string]struct{}
}

// NewWatches is no watches.
func NewWatches[W comparable]() *Watches[W] {
	w := &Watches[W]{}
	for i := range w.tables {
		w.tables[i] = watchTable[W]{make(map[string]map[W]Mode), make(map[W]map[string]struct{})}
	}
	return w
}

// Count is how many paths a watcher watches, those in both tables twice.
func (w *Watches[W]) Count(who W) int {
	return len(w.tables[DataWatches].byWatcher[who]) + len(w.tables[ChildWatches].byWatcher[who])
}

// Summary counts watchers, paths and watches, as wchs tells them.
func (w *Watches[W]) Summary() (watchers, paths, watches int) {
	for i := range w.tables {
		watchers += len(w.tables[i].byWatcher)
		paths += len(w.tables[i].byPath)
		for _, list := range w.tables[i].byWatcher {
			watches += len(list)
		}
	}
	return watchers, paths, watches
}

// Each calls visit for every watcher of every path.
func (w *Watches[W]) Each(visit func(path string, who W)) {
	for i := range w.tables {
		for path, list := range w.tables[i].byPath {
			for who := range list {
				visit(path, who)
			}
		}
	}
}

// Add leaves a watch.
func (w *Watches[W]) Add(table Table, path string, who W, mode Mode) {
	t := &w.tables[table]
	list := t.byPath[path]
	if list == nil {
		list = make(map[W]Mode, 1)
		t.byPath[path] = list
	}
	if mode == Recursive && list[who]&Recursive == 0 {
		w.recursive++
	}
	list[who] |= mode
	paths := t.byWatcher[who]
	if paths == nil {
		paths = make(map[string]struct{})
		t.byWatcher[who] = paths
	}
	paths[path] = struct{}{}
}

// drop takes modes away from a watch, and says whether there were any.
func (w *Watches[W]) drop(table Table, path string, who W, modes Mode) bool {
	t := &w.tables[table]
	list := t.byPath[path]
	had := list[who]
	if had&modes == 0 {
		return false
	}
	if had&modes&Recursive != 0 {
		w.recursive--
	}
	if left := had &^ modes; left != 0 {
		list[who] = left
		return true
	}
	delete(list, who)
	if len(list) == 0 {
		delete(t.byPath, path)
	}
	delete(t.byWatcher[who], path)
	if len(t.byWatcher[who]) == 0 {
		delete(t.byWatcher, who)
	}
	return true
}

// Forget removes every watch of a watcher.
func (w *Watches[W]) Forget(who W) {
	for i := range w.tables {
		for path := range w.tables[i].byWatcher[who] {
			w.drop(Table(i), path, who, anyMode)
		}
	}
}

// kinds are the watches that a client means by a number: in which table, in which modes.
func kinds(kind int32) []struct {
	table Table
	modes Mode
} {
	type in = struct {
		table Table
		modes Mode
	}
	switch kind {
	case jute.WatcherChildren:
		return []in{{ChildWatches, Once}}
	case jute.WatcherData:
		return []in{{DataWatches, Once}}
	case jute.WatcherPersistent:
		return []in{{ChildWatches, Persistent}, {DataWatches, Persistent}}
	case jute.WatcherPersistentRecursive:
		return []in{{DataWatches, Recursive}}
	case jute.WatcherAny:
		return []in{{ChildWatches, anyMode}, {DataWatches, anyMode}}
	}
	return nil
}

// Has says whether there is a watch of a kind, by the protocol's number of it.
func (w *Watches[W]) Has(path string, who W, kind int32) bool {
	for _, in := range kinds(kind) {
		if w.tables[in.table].byPath[path][who]&in.modes != 0 {
			return true
		}
	}
	return false
}

// Remove removes watches of a kind, and says whether there were any.
func (w *Watches[W]) Remove(path string, who W, kind int32) bool {
	removed := false
	for _, in := range kinds(kind) {
		if w.drop(in.table, path, who, in.modes) {
			removed = true
		}
	}
	return removed
}

// Fire tells each watcher that is to know of an event, once for each path and type; one-time watches are gone then. It
// includes what the event means to the parent's children.
func (w *Watches[W]) Fire(e Event, tell func(who W, event jute.EventType, path string)) {
	parent, hasParent := parentOf(e.Path)
	switch e.Type {
	case jute.EventCreated:
		w.trigger(DataWatches, e.Path, e.Type, nil, tell)
	case jute.EventDeleted:
		told := w.trigger(DataWatches, e.Path, e.Type, nil, tell)
		w.trigger(ChildWatches, e.Path, e.Type, told, tell)
	default:
		w.trigger(DataWatches, e.Path, e.Type, nil, tell)
		return
	}
	if hasParent {
		w.trigger(ChildWatches, parent, jute.EventChildrenChanged, nil, tell)
	}
}

func (w *Watches[W]) trigger(
	table Table, path string, event jute.EventType, except map[W]bool, tell func(W, jute.EventType, string),
) map[W]bool {
	var told map[W]bool
	hear := func(who W) {
		if told == nil {
			told = make(map[W]bool)
		}
		if !told[who] && !except[who] {
			tell(who, event, path)
		}
		told[who] = true
	}
	for who := range w.tables[table].byPath[path] {
		hear(who)
		w.drop(table, path, who, Once)
	}
	if w.recursive == 0 {
		return told
	}
	for up := path; up != root; {
		up = canonical(up[:strings.LastIndexByte(up, '/')])
		for who, modes := range w.tables[table].byPath[up] {
			if modes&Recursive != 0 {
				hear(who)
			}
		}
	}
	return told
}
