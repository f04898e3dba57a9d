package controller

import (
	"time"

	"barnabas/internal/config"
	"barnabas/internal/metadata"
)

// Elections are the transactions that make of an image's partitions what the brokers registered allow: the controller's
// decision, without its goroutine and its fence, for who steps it by hand. Each holds only while no leader has changed
// what it was planned with. now dates losses.
func Elections(img *metadata.Image, view *config.View, now time.Time) []metadata.Txn {
	return transactions(planLeaders(&state{img: img, view: view, now: now}))
}

// PreferredElections are those of somebody who wants the first replicas to lead, wherever they can.
func PreferredElections(img *metadata.Image, view *config.View, now time.Time) []metadata.Txn {
	_, made := planElections(&state{img: img, view: view, now: now}, PreferredElection, nil)
	return transactions(made)
}

func transactions(made changes) (txns []metadata.Txn) {
	for _, b := range batches(made.units) {
		txns = append(txns, metadata.Txn{If: b.guards, Then: b.ops})
	}
	return txns
}
