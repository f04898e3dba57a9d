package metadata

// Txn is a transaction: all of Then, in one revision, if all of If hold.
type Txn struct {
	If   []Compare
	Then []Op
}

// TxnResult tells what became of a transaction.
type TxnResult struct {
	// OK says that the comparisons held and the operations were applied.
	OK bool
	// Revision is that of the store after the transaction.
	Revision Revision
}

// CompareKind is what a Compare looks at.
type CompareKind uint8

const (
	// CompareCreated compares the revision at which the key was created; 0 for a key that does not exist.
	CompareCreated CompareKind = iota
	// CompareModified compares the revision of the last write; 0 for a key that does not exist.
	CompareModified
	// CompareValue compares the value; it fails for a key that does not exist.
	CompareValue
)

// Compare is a condition on one key, an equality.
type Compare struct {
	Key      string
	Kind     CompareKind
	Revision Revision
	Value    []byte
}

// Absent holds while the key does not exist.
func Absent(key string) Compare { return Compare{Key: key, Kind: CompareCreated} }

// CreatedAt holds while the key is the one created at that revision.
func CreatedAt(key string, at Revision) Compare {
	return Compare{Key: key, Kind: CompareCreated, Revision: at}
}

// ModifiedAt holds while the key was last written at that revision; 0 while it does not exist.
func ModifiedAt(key string, at Revision) Compare {
	return Compare{Key: key, Kind: CompareModified, Revision: at}
}

// ValueIs holds while the key exists with that value.
func ValueIs(key string, value []byte) Compare {
	return Compare{Key: key, Kind: CompareValue, Value: value}
}

// OpKind is what an Op does.
type OpKind uint8

const (
	// OpPut writes a key.
	OpPut OpKind = iota
	// OpDelete deletes a key, if it exists.
	OpDelete
	// OpDeletePrefix deletes all keys with a prefix.
	OpDeletePrefix
)

// Op is one effect of a transaction. No two operations of a transaction may touch one key.
type Op struct {
	Kind  OpKind
	Key   string
	Value []byte
	Lease LeaseID
}

// Put writes a key without a lease.
func Put(key string, value []byte) Op { return Op{Kind: OpPut, Key: key, Value: value} }

// PutLeased writes a key that vanishes with the lease.
func PutLeased(key string, value []byte, lease LeaseID) Op {
	return Op{Kind: OpPut, Key: key, Value: value, Lease: lease}
}

// Delete deletes a key.
func Delete(key string) Op { return Op{Kind: OpDelete, Key: key} }

// DeletePrefix deletes all keys that begin with prefix, as one operation.
func DeletePrefix(prefix string) Op { return Op{Kind: OpDeletePrefix, Key: prefix} }
