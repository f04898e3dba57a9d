package jute

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// samples are requests of every kind.
var samples = []Request{
	{Op: OpCreate, Path: "/a", Data: []byte("x"), ACL: OpenACL, Flags: FlagEphemeralSequential, TTL: -1},
	{Op: OpCreate2, Path: "/a", ACL: []ACL{{PermRead, ID{"digest", "u:p"}}}, TTL: -1},
	{Op: OpCreateContainer, Path: "/c", Data: []byte{}, ACL: OpenACL, Flags: FlagContainer, TTL: -1},
	{Op: OpCreateTTL, Path: "/t", ACL: OpenACL, Flags: FlagPersistentTTL, TTL: 1000},
	{Op: OpDelete, Path: "/a", Version: -1},
	{Op: OpExists, Path: "/a", Watch: true},
	{Op: OpGetData, Path: "/a"},
	{Op: OpSetData, Path: "/a", Data: []byte("y"), Version: 3},
	{Op: OpGetACL, Path: "/a"},
	{Op: OpSetACL, Path: "/a", ACL: OpenACL, Version: 1},
	{Op: OpGetChildren, Path: "/", Watch: true},
	{Op: OpGetChildren2, Path: "/"},
	{Op: OpSync, Path: "/"},
	{Op: OpCheckWatches, Path: "/a", Kind: WatcherAny},
	{Op: OpRemoveWatches, Path: "/a", Kind: WatcherData},
	{Op: OpAddWatch, Path: "/a", Kind: 1},
	{Op: OpGetEphemerals, Path: "/"},
	{Op: OpGetAllChildrenNumber, Path: "/"},
	{Op: OpDeleteContainer, Path: "/c"},
	{Op: OpWhoAmI}, {Op: OpPing}, {Op: OpCloseSession},
	{Op: OpAuth, Scheme: "digest", Data: []byte("u:p")},
	{Op: OpSetWatches, Watches: &Watches{RelativeZxid: 7, Data: []string{"/a"}, Exist: []string{"/b", "/c"}}},
	{Op: OpSetWatches2, Watches: &Watches{Child: []string{"/a"}, Persistent: []string{"/p"}, PersistentRecursive: []string{"/r"}}},
	{Op: OpMulti, Parts: []Request{
		{Op: OpCheck, Path: "/a", Version: 2}, {Op: OpDelete, Path: "/a", Version: -1},
		{Op: OpCreate, Path: "/a", ACL: OpenACL, TTL: -1},
	}},
	{Op: OpMultiRead, Parts: []Request{{Op: OpGetData, Path: "/a"}, {Op: OpGetChildren, Path: "/"}}},
}

func TestRequestsComeBackAsTheyWent(t *testing.T) {
	for _, want := range samples {
		r := NewReader(want.Append(nil))
		got, err := r.Body(want.Op)
		if err != nil || r.Left() != 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("op %d: %+v, %v, %d bytes left; want %+v", want.Op, got, err, r.Left(), want)
		}
	}
}

func TestCutRequestsAreRefused(t *testing.T) {
	for _, sample := range samples {
		whole := sample.Append(nil)
		for cut := range len(whole) {
			if _, err := NewReader(whole[:cut]).Body(sample.Op); !errors.Is(err, ErrTruncated) {
				t.Fatalf("op %d cut to %d of %d bytes: %v", sample.Op, cut, len(whole), err)
			}
		}
	}
}

func TestOldAndNewConnectRequests(t *testing.T) {
	for _, want := range []ConnectRequest{
		{TimeoutMs: 30000, Password: make([]byte, 16)},
		{TimeoutMs: 4000, SessionID: -5, LastZxidSeen: 9, Password: []byte("0123456789abcdef"), HasReadOnly: true, ReadOnly: true},
	} {
		got := NewReader(want.Append(nil)).Connect()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	answer := ConnectResponse{TimeoutMs: 4000, SessionID: 1, Password: make([]byte, 16)}
	old := len(answer.Append(nil))
	answer.HasReadOnly = true
	if now := len(answer.Append(nil)); now != old+1 {
		t.Errorf("the read-only byte makes %d bytes of %d", now, old)
	}
}

func TestHugePacketsAreRefusedBeforeTheyAreRead(t *testing.T) {
	for _, length := range []int32{math.MaxInt32, -1, MaxBuffer + 1} {
		_, err := ReadFrame(strings.NewReader(""), length, MaxBuffer)
		if !errors.Is(err, ErrFrameLength) || !strings.Contains(err.Error(), "jute.maxbuffer") {
			t.Errorf("a packet of %d bytes: %v", length, err)
		}
	}
}

func TestUnknownOperationsAreNamed(t *testing.T) {
	if _, err := NewReader(AppendString(nil, "/")).Body(77); err == nil || !strings.Contains(err.Error(), "77") {
		t.Errorf("operation 77: %v", err)
	}
	reading := Request{Op: OpMulti, Parts: []Request{{Op: OpGetData, Path: "/"}}}
	if _, err := NewReader(reading.Append(nil)).Body(OpMulti); err == nil {
		t.Error("a multi that writes takes a read")
	}
}

func FuzzRequest(f *testing.F) {
	for _, sample := range samples {
		f.Add(int32(sample.Op), sample.Append(nil))
	}
	f.Add(int32(OpCreate), []byte{0, 0, 0, 1, '/', 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		req, err := NewReader(body).Body(Op(op))
		if err != nil {
			return
		}
		once := req.Append(nil)
		again, err := NewReader(once).Body(Op(op))
		if err != nil || !bytes.Equal(again.Append(nil), once) {
			t.Fatalf("%+v became %+v: %v", req, again, err)
		}
	})
}

func FuzzConnect(f *testing.F) {
	f.Add(ConnectRequest{TimeoutMs: 1, Password: make([]byte, 16), HasReadOnly: true}.Append(nil))
	f.Fuzz(func(_ *testing.T, record []byte) {
		r := NewReader(record)
		r.Connect()
		r.Stat()
		r.ACLs()
	})
}
