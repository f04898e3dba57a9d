// Package metadata is what a cluster knows about itself: its brokers, topics, partitions, settings
// and losses, as small keys in a strongly consistent store, and as an immutable Image of them in
// memory.
//
// Its place in the flow: the controller and partition leaders change keys by transactions (Store);
// a Feed, one goroutine per process, watches the keys, folds each change into the next Image and
// tells its subscribers (Delta). Everyone else reads Feed.Current, a plain pointer to an Image that
// never changes.
//
// The key layout and the encoding of values are in docs/formats/metadata.md.
package metadata
