package jute

// Op is the kind of a request.
type Op int32

// The requests of ZooKeeper 3.9; the numbers are the protocol's.
const (
	OpError                Op = -1
	OpCloseSession         Op = -11
	OpCreateSession        Op = -10
	OpNotification         Op = 0
	OpCreate               Op = 1
	OpDelete               Op = 2
	OpExists               Op = 3
	OpGetData              Op = 4
	OpSetData              Op = 5
	OpGetACL               Op = 6
	OpSetACL               Op = 7
	OpGetChildren          Op = 8
	OpSync                 Op = 9
	OpPing                 Op = 11
	OpGetChildren2         Op = 12
	OpCheck                Op = 13
	OpMulti                Op = 14
	OpCreate2              Op = 15
	OpReconfig             Op = 16
	OpCheckWatches         Op = 17
	OpRemoveWatches        Op = 18
	OpCreateContainer      Op = 19
	OpDeleteContainer      Op = 20
	OpCreateTTL            Op = 21
	OpMultiRead            Op = 22
	OpAuth                 Op = 100
	OpSetWatches           Op = 101
	OpSASL                 Op = 102
	OpGetEphemerals        Op = 103
	OpGetAllChildrenNumber Op = 104
	OpSetWatches2          Op = 105
	OpAddWatch             Op = 106
	OpWhoAmI               Op = 107
)

// The xids that are no request's number.
const (
	XidNotification int32 = -1
	XidPing         int32 = -2
	XidAuth         int32 = -4
	XidSetWatches   int32 = -8
)

// Code is what became of a request, as ZooKeeper's KeeperException numbers it.
type Code int32

// The codes that a server sends.
const (
	OK                      Code = 0
	SystemError             Code = -1
	RuntimeInconsistency    Code = -2
	MarshallingError        Code = -5
	Unimplemented           Code = -6
	OperationTimeout        Code = -7
	BadArguments            Code = -8
	NoNode                  Code = -101
	NoAuth                  Code = -102
	BadVersion              Code = -103
	NoChildrenForEphemerals Code = -108
	NodeExists              Code = -110
	NotEmpty                Code = -111
	SessionExpired          Code = -112
	InvalidACL              Code = -114
	AuthFailed              Code = -115
	SessionMoved            Code = -118
	NoWatcher               Code = -121
	RequestTimeout          Code = -122
	ReconfigDisabled        Code = -123
	Throttled               Code = -127
)

var codeNames = map[Code]string{
	OK: "ok", SystemError: "SYSTEMERROR", RuntimeInconsistency: "RUNTIMEINCONSISTENCY", MarshallingError: "MARSHALLINGERROR",
	Unimplemented: "UNIMPLEMENTED", OperationTimeout: "OPERATIONTIMEOUT", BadArguments: "BADARGUMENTS", NoNode: "NONODE",
	NoAuth: "NOAUTH", BadVersion: "BADVERSION", NoChildrenForEphemerals: "NOCHILDRENFOREPHEMERALS", NodeExists: "NODEEXISTS",
	NotEmpty: "NOTEMPTY", SessionExpired: "SESSIONEXPIRED", InvalidACL: "INVALIDACL", AuthFailed: "AUTHFAILED",
	SessionMoved: "SESSIONMOVED", NoWatcher: "NOWATCHER", RequestTimeout: "REQUESTTIMEOUT",
	ReconfigDisabled: "RECONFIGDISABLED", Throttled: "THROTTLEDOP",
}

// String is the code's name as ZooKeeper writes it.
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return "UNKNOWN"
}

// Perms are what an ACL allows.
type Perms int32

// The permissions of ZooDefs.Perms.
const (
	PermRead Perms = 1 << iota
	PermWrite
	PermCreate
	PermDelete
	PermAdmin
	PermAll = PermRead | PermWrite | PermCreate | PermDelete | PermAdmin
)

// EventType is what a watch tells.
type EventType int32

// The events of Watcher.Event.
const (
	EventCreated             EventType = 1
	EventDeleted             EventType = 2
	EventDataChanged         EventType = 3
	EventChildrenChanged     EventType = 4
	EventDataWatchRemoved    EventType = 5
	EventChildWatchRemoved   EventType = 6
	EventPersistWatchRemoved EventType = 7
)

// String names the event as ZooKeeper does.
func (e EventType) String() string {
	switch e {
	case EventCreated:
		return "NodeCreated"
	case EventDeleted:
		return "NodeDeleted"
	case EventDataChanged:
		return "NodeDataChanged"
	case EventChildrenChanged:
		return "NodeChildrenChanged"
	}
	return "Unknown"
}

// stateConnected is the state that every notification of a server carries.
const stateConnected = 3

// The flags of a create.
const (
	FlagPersistent              int32 = 0
	FlagEphemeral               int32 = 1
	FlagSequential              int32 = 2
	FlagEphemeralSequential     int32 = 3
	FlagContainer               int32 = 4
	FlagPersistentTTL           int32 = 5
	FlagPersistentSequentialTTL int32 = 6
)

// The kinds of watches that checkWatches and removeWatches name.
const (
	WatcherChildren            int32 = 1
	WatcherData                int32 = 2
	WatcherAny                 int32 = 3
	WatcherPersistent          int32 = 4
	WatcherPersistentRecursive int32 = 5
)
