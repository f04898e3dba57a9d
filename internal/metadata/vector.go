package metadata

// vector is an immutable sequence: a tree of fanout vectorWidth whose set copies one path. A short
// one is a single slice of its exact length, which is what most topics have.
type vector[T any] struct {
	root  *vectorNode[T]
	size  int
	shift uint
}

const (
	vectorBits  = 5
	vectorWidth = 1 << vectorBits
)

// vectorNode is a leaf (items) or an inner node (children).
type vectorNode[T any] struct {
	items    []T
	children []*vectorNode[T]
}

func (v vector[T]) len() int { return v.size }

// get returns the item at i, which must be below len.
func (v vector[T]) get(i int) T {
	node := v.root
	for shift := v.shift; shift > 0 && node != nil; shift -= vectorBits {
		child := (i >> shift) & (vectorWidth - 1)
		if child >= len(node.children) {
			node = nil
			break
		}
		node = node.children[child]
	}
	leaf := i & (vectorWidth - 1)
	if node == nil || leaf >= len(node.items) {
		var zero T
		return zero
	}
	return node.items[leaf]
}

// set returns the vector with item at i; one beyond the end lengthens it, and the gap reads as zero.
func (v vector[T]) set(i int, item T) vector[T] {
	next := v
	next.size = max(v.size, i+1)
	for next.size > vectorWidth<<next.shift {
		if next.root != nil {
			next.root = &vectorNode[T]{children: []*vectorNode[T]{next.root}}
		}
		next.shift += vectorBits
	}
	next.root = next.root.set(next.shift, i, item)
	return next
}

// set copies the node, which may be nil, with item at i below it.
func (n *vectorNode[T]) set(shift uint, i int, item T) *vectorNode[T] {
	next := &vectorNode[T]{}
	index := (i >> shift) & (vectorWidth - 1)
	if shift == 0 {
		if n != nil {
			next.items = n.items
		}
		next.items = resized(next.items, index+1)
		next.items[index] = item
		return next
	}
	if n != nil {
		next.children = n.children
	}
	next.children = resized(next.children, index+1)
	next.children[index] = next.children[index].set(shift-vectorBits, i, item)
	return next
}

// resized is a copy of s with at least size elements.
func resized[T any](s []T, size int) []T {
	next := make([]T, max(len(s), size))
	copy(next, s)
	return next
}
