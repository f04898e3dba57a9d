package tree

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"barnabas/internal/scenario"
	"barnabas/internal/zookeeper/jute"
)

// stage is a tree that a script plays with. The lines it understands:
//
//	session N | end N | wait MS | reap
//	N auth USER:PASSWORD | N super
//	N create PATH [DATA] [e] [s] [c] [ttl=MS] [acl=WHO:PERMS,...]
//	N set PATH DATA [v=V] | N delete PATH [v=V] | N check PATH [v=V] | N setacl PATH acl=... [v=V]
//	N multi REQUEST ; REQUEST ...
//	N get PATH | N stat PATH | N ls PATH | N acl PATH | N below PATH | N mine [PREFIX]
//	N watch once|child|persistent|recursive PATH | N unwatch KIND PATH
type stage struct {
	tree    *Tree
	watches *Watches[int64]
	now     int64
	ids     map[int64][]jute.ID
}

func TestScenarios(t *testing.T) {
	scenario.Play(t, "testdata/*.txt", func(*testing.T) scenario.Event {
		s := &stage{tree: New(0), watches: NewWatches[int64](), ids: make(map[int64][]jute.ID)}
		return s.event
	})
}

func (s *stage) event(words []string) []string {
	switch words[0] {
	case "session":
		id := number(words[1])
		s.ids[id] = []jute.ID{Address("10.0.0." + words[1])}
		return s.change(func(d *Draft) Result {
			return d.OpenSession(id, Session{Password: []byte("p"), TimeoutMs: 4000, Keeper: "k"})
		})
	case "end":
		return s.change(func(d *Draft) Result { return d.CloseSession(number(words[1]), "") })
	case "wait":
		s.now += number(words[1])
		return nil
	case "reap":
		var out []string
		for _, path := range s.tree.Reapable(s.now) {
			out = append(out, s.change(func(d *Draft) Result { return d.Reap(path) })...)
		}
		return out
	}
	return s.client(number(words[0]), words[1:])
}

func (s *stage) client(id int64, words []string) []string {
	ids := s.ids[id]
	switch words[0] {
	case "auth":
		s.ids[id] = append(ids, Digest([]byte(words[1])))
		return nil
	case "super":
		s.ids[id] = append(ids, Super())
		return nil
	case "get":
		data, st, code := s.tree.Data(words[1], ids)
		return answer(code, "%q version %d", data, st.Version)
	case "stat":
		st, code := s.tree.Stat(words[1], ids)
		return answer(code, "%+v", st)
	case "ls":
		names, st, code := s.tree.Children(words[1], ids)
		slices.Sort(names)
		return answer(code, "%v cversion %d pzxid %d", names, st.Cversion, st.Pzxid)
	case "acl":
		acl, st, code := s.tree.ACL(words[1], ids)
		return answer(code, "%v aversion %d", acl, st.Aversion)
	case "below":
		n, code := s.tree.Descendants(words[1], ids)
		return answer(code, "%d", n)
	case "mine":
		return []string{fmt.Sprint(s.tree.Ephemerals(id, strings.Join(words[1:], "")))}
	case "watch":
		s.watch(id, words[1], words[2])
		return nil
	case "unwatch":
		return []string{fmt.Sprint(s.watches.Remove(words[2], id, int32(number(words[1]))))}
	}
	req := request(words)
	return s.change(func(d *Draft) Result { return d.Do(Caller{id, "k", ids}, &req) })
}

func answer(code jute.Code, format string, args ...any) []string {
	if code != jute.OK {
		return []string{code.String()}
	}
	return []string{fmt.Sprintf(format, args...)}
}

func (s *stage) watch(id int64, kind, path string) {
	switch kind {
	case "once":
		s.watches.Add(DataWatches, path, id, Once)
	case "child":
		s.watches.Add(ChildWatches, path, id, Once)
	case "persistent":
		s.watches.Add(DataWatches, path, id, Persistent)
		s.watches.Add(ChildWatches, path, id, Persistent)
	case "recursive":
		s.watches.Add(DataWatches, path, id, Recursive)
	}
}

// change tries one request, takes the step, and tells who heard of it.
func (s *stage) change(do func(*Draft) Result) []string {
	d := s.tree.Draft(s.now)
	result := do(d)
	delta := d.Delta()
	s.tree.Apply(delta)
	out := []string{told(result)}
	for _, e := range delta.Events {
		var heard []string
		s.watches.Fire(e, func(who int64, event jute.EventType, path string) {
			heard = append(heard, fmt.Sprintf("%d hears %v %s", who, event, path))
		})
		slices.Sort(heard)
		out = append(out, heard...)
	}
	return out
}

func told(r Result) string {
	if r.Parts != nil {
		var parts []string
		for _, part := range r.Parts {
			parts = append(parts, strings.TrimSpace(part.Code.String()+" "+part.Path))
		}
		return strings.Join(parts, ", ") + fmt.Sprintf(" at %d", r.Zxid)
	}
	return strings.TrimSpace(fmt.Sprintf("%v %s", r.Code, r.Path)) + fmt.Sprintf(" at %d", r.Zxid)
}

func request(words []string) jute.Request {
	req := jute.Request{Version: -1, TTL: -1, ACL: jute.OpenACL}
	if words[0] == "multi" {
		req.Op = jute.OpMulti
		for part := range strings.SplitSeq(strings.Join(words[1:], " "), ";") {
			req.Parts = append(req.Parts, request(strings.Fields(part)))
		}
		return req
	}
	req.Op = map[string]jute.Op{
		"create": jute.OpCreate2, "set": jute.OpSetData, "delete": jute.OpDelete, "check": jute.OpCheck, "setacl": jute.OpSetACL,
	}[words[0]]
	req.Path = strings.ReplaceAll(words[1], `\0`, "\x00")
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "e":
			req.Flags |= jute.FlagEphemeral
		case "s":
			req.Flags |= jute.FlagSequential
		case "c":
			req.Op, req.Flags = jute.OpCreateContainer, jute.FlagContainer
		case "ttl":
			req.Op, req.TTL, req.Flags = jute.OpCreateTTL, number(value), jute.FlagPersistentTTL+req.Flags/2
		case "flags":
			req.Flags = int32(number(value))
		case "v":
			req.Version = int32(number(value))
		case "acl":
			req.ACL = acls(value)
		default:
			req.Data = []byte(word)
		}
	}
	return req
}

// acls reads scheme/id/perms,...; the permissions are the letters of zkCli.
func acls(list string) (acl []jute.ACL) {
	for entry := range strings.SplitSeq(list, ",") {
		fields := strings.Split(entry, "|")
		if len(fields) != 3 {
			continue
		}
		a := jute.ACL{ID: jute.ID{Scheme: fields[0], ID: fields[1]}}
		for _, c := range fields[2] {
			a.Perms |= 1 << strings.IndexRune("rwcda", c)
		}
		acl = append(acl, a)
	}
	return acl
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}
