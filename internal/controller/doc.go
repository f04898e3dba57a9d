// Package controller decides what a cluster's metadata becomes: topics, partitions, settings,
// features, elections. One broker at a time is elected; a single goroutine there takes commands and changes of
// the cluster one after another, plans the effects with pure functions of the Image (plan_*.go), writes
// them in transactions fenced by its election key, and answers when every subscriber of its Feed has
// seen the result.
package controller
