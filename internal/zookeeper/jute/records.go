package jute

// ID is who somebody is: a scheme of authentication and a name in it.
type ID struct{ Scheme, ID string }

// ACL allows an ID something.
type ACL struct {
	Perms Perms
	ID    ID
}

// OpenACL lets anyone do everything.
var OpenACL = []ACL{{PermAll, ID{"world", "anyone"}}}

// Stat is what a client is told about a node; times are in milliseconds since 1970.
type Stat struct {
	Czxid, Mzxid, Ctime, Mtime  int64
	Version, Cversion, Aversion int32
	EphemeralOwner              int64
	DataLength, NumChildren     int32
	Pzxid                       int64
}

// Stat reads a Stat.
func (r *Reader) Stat() Stat {
	return Stat{
		Czxid: r.Long(), Mzxid: r.Long(), Ctime: r.Long(), Mtime: r.Long(),
		Version: r.Int(), Cversion: r.Int(), Aversion: r.Int(),
		EphemeralOwner: r.Long(), DataLength: r.Int(), NumChildren: r.Int(), Pzxid: r.Long(),
	}
}

// AppendStat appends a Stat.
func AppendStat(b []byte, s Stat) []byte {
	for _, v := range [...]int64{s.Czxid, s.Mzxid, s.Ctime, s.Mtime} {
		b = AppendLong(b, v)
	}
	for _, v := range [...]int32{s.Version, s.Cversion, s.Aversion} {
		b = AppendInt(b, v)
	}
	b = AppendLong(b, s.EphemeralOwner)
	b = AppendInt(AppendInt(b, s.DataLength), s.NumChildren)
	return AppendLong(b, s.Pzxid)
}

// ACLs reads a vector of ACLs.
func (r *Reader) ACLs() []ACL {
	n := r.vector(12)
	if n == 0 {
		return nil
	}
	list := make([]ACL, 0, n)
	for range n {
		list = append(list, ACL{Perms(r.Int()), ID{r.String(), r.String()}})
	}
	return list
}

// AppendACLs appends a vector of ACLs.
func AppendACLs(b []byte, list []ACL) []byte {
	b = AppendInt(b, length(len(list)))
	for _, a := range list {
		b = AppendInt(b, int32(a.Perms))
		b = AppendString(AppendString(b, a.ID.Scheme), a.ID.ID)
	}
	return b
}

// RequestHeader begins every request but the first.
type RequestHeader struct {
	Xid int32
	Op  Op
}

// Header reads a RequestHeader.
func (r *Reader) Header() RequestHeader { return RequestHeader{r.Int(), Op(r.Int())} }

// AppendReplyHeader appends the header of a reply: the request's number, the newest change that the server knows, and
// what became of the request.
func AppendReplyHeader(b []byte, xid int32, zxid int64, code Code) []byte {
	return AppendInt(AppendLong(AppendInt(b, xid), zxid), int32(code))
}

// AppendNotification appends the whole record of a watch's event.
func AppendNotification(b []byte, event EventType, path string) []byte {
	b = AppendReplyHeader(b, XidNotification, -1, OK)
	return AppendString(AppendInt(AppendInt(b, int32(event)), stateConnected), path)
}

// MultiHeader stands before each part of a multi, and after the last.
type MultiHeader struct {
	Op   Op
	Done bool
	Code Code
}

// MultiHeader reads one.
func (r *Reader) MultiHeader() MultiHeader { return MultiHeader{Op(r.Int()), r.Bool(), Code(r.Int())} }

// AppendMultiHeader appends one.
func AppendMultiHeader(b []byte, h MultiHeader) []byte {
	return AppendInt(AppendBool(AppendInt(b, int32(h.Op)), h.Done), int32(h.Code))
}

// MultiEnd is the header that ends a multi.
var MultiEnd = MultiHeader{Op: -1, Done: true, Code: -1}

// ConnectRequest is a connection's first record.
type ConnectRequest struct {
	ProtocolVersion int32
	LastZxidSeen    int64
	TimeoutMs       int32
	SessionID       int64
	Password        []byte
	// ReadOnly says that a server without a quorum will do; old clients don't send it, and HasReadOnly is false.
	ReadOnly, HasReadOnly bool
}

// Connect reads a ConnectRequest.
func (r *Reader) Connect() ConnectRequest {
	c := ConnectRequest{
		ProtocolVersion: r.Int(), LastZxidSeen: r.Long(), TimeoutMs: r.Int(), SessionID: r.Long(), Password: r.Buffer(),
	}
	if r.Left() > 0 {
		c.HasReadOnly, c.ReadOnly = true, r.Bool()
	}
	return c
}

// Append appends the request as a client sends it.
func (c ConnectRequest) Append(b []byte) []byte {
	b = AppendLong(AppendInt(b, c.ProtocolVersion), c.LastZxidSeen)
	b = AppendBuffer(AppendLong(AppendInt(b, c.TimeoutMs), c.SessionID), c.Password)
	if c.HasReadOnly {
		b = AppendBool(b, c.ReadOnly)
	}
	return b
}

// ConnectResponse answers a ConnectRequest. A session that is over is answered with session 0 and timeout 0.
type ConnectResponse struct {
	TimeoutMs int32
	SessionID int64
	Password  []byte
	// HasReadOnly is set for a client that sent the byte.
	HasReadOnly bool
}

// Append appends the response.
func (c ConnectResponse) Append(b []byte) []byte {
	b = AppendLong(AppendInt(AppendInt(b, 0), c.TimeoutMs), c.SessionID)
	b = AppendBuffer(b, c.Password)
	if c.HasReadOnly {
		b = AppendBool(b, false)
	}
	return b
}
