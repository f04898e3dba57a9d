package step

import (
	"time"

	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// ruler is an elected controller: real decisions, on news that come late, by transactions that another election fences.
type ruler struct {
	*world
	view     view
	elected  metadata.Revision
	planning bool
	again    bool
}

// elect makes somebody the controller; the one before does not know of it.
func (w *world) elect() {
	result := w.keepers.txn(metadata.Txn{Then: []metadata.Op{metadata.Delete(metadata.ControllerKey())}})
	result = w.keepers.txn(metadata.Txn{Then: []metadata.Op{
		metadata.Put(metadata.ControllerKey(), metadata.EncodeElection(ident.BrokerID(result.Revision))),
	}})
	r := &ruler{world: w, elected: result.Revision}
	r.view, _ = w.keepers.newView()
	w.rulers = append(w.rulers[max(0, len(w.rulers)-1):], r) // the one before, too, hears on for a while
	r.plan()
}

// hear has news arrive.
func (r *ruler) hear(upTo metadata.Revision) {
	r.after(r.between(100*time.Microsecond, r.newsTake), "news for the controller", func() {
		for {
			if _, delta := r.keepers.next(&r.view, upTo); delta == nil {
				break
			}
		}
		r.plan()
	})
}

// plan decides on what is known now, unless what was decided before is still under way.
func (r *ruler) plan() {
	if r.again = r.planning; r.planning {
		return
	}
	r.carry(controller.Elections(r.view.image, r.settingsView, epoch.Add(r.now)))
}

// prefer does what an operator asks for, who wants the first replica to lead; nothing while something else is under way.
func (r *ruler) prefer() {
	if !r.planning {
		r.carry(controller.PreferredElections(r.view.image, r.settingsView, epoch.Add(r.now)))
	}
}

// carry has what was decided come about.
func (r *ruler) carry(txns []metadata.Txn) {
	if len(txns) == 0 {
		return
	}
	r.planning = true
	r.after(r.storeDelay(), "elections", func() {
		var last metadata.TxnResult
		for _, t := range txns {
			t.If = append(t.If, metadata.CreatedAt(metadata.ControllerKey(), r.elected))
			if last = r.keepers.txn(t); !last.OK {
				break
			}
		}
		r.note("elections", len(txns), last.OK)
		r.await(last.Revision)
	})
}

// await plans again once all that was decided is known, and what stood in its way.
func (r *ruler) await(seen metadata.Revision) {
	r.after(time.Millisecond, "controller looks", func() {
		if r.view.image.Revision() < seen {
			r.await(seen)
			return
		}
		if r.planning = false; r.view.image.Controller().Epoch == r.elected {
			r.plan()
		}
	})
}
