package metadata_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

func newLife(ensemble string) life {
	return life{memstore.New().Open(memstore.Faults{}), metadata.Birth{Ensemble: ensemble, Since: 1}}
}

// Of what is in doubt the last leaders, and how far they raised the ceiling, may be known to nobody: both are left out, also where the
// stores had been asked already, for that may have had its end.
func TestQuestionsLeaveOutEpochsAndOffsets(t *testing.T) {
	for _, why := range []metadata.Inquiry{
		metadata.NoInquiry, metadata.InquiryTorn, metadata.InquiryDestroyed, metadata.InquiryUnclean, metadata.InquiryRestored,
	} {
		synctest.Test(t, func(t *testing.T) {
			store := newLife("b")
			defer store.Close()
			state := metadata.Partition{Leader: ident.NoBroker, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2), Ceiling: 100, Inquiry: why}
			restoreFrom(t, store, metadata.FromJournal, 1, sharedAt(t, 100, state, nil))
			got := partitionIn(t, store)
			if got.Inquiry != metadata.InquiryRestored || got.LeaderEpoch < 50 || got.Ceiling < 100+10*metadata.CeilingStep {
				t.Errorf("with inquiry %d it was put back as %+v", why, got)
			}
		})
	}
}

// A broker has lived on and knows more, and is not heard of any more: another one puts back what it knows itself, and what the silent one may
// lead by is in doubt. One that died knows more than those that lived by what nobody acts on: nothing is in doubt for that.
func TestOneThatKnowsMoreIsSilent(t *testing.T) {
	for _, c := range []struct {
		name    string
		bid     string
		inquiry metadata.Inquiry
	}{
		{"it has lived", `{"ensemble":"b","of":"a","revision":120,"broker":2,"complete":true,"lived":true}`, metadata.InquiryRestored},
		{"it had died", `{"ensemble":"b","of":"a","revision":120,"broker":2,"complete":true}`, metadata.NoInquiry},
		{"it knows less", `{"ensemble":"b","of":"a","revision":90,"broker":2,"complete":true,"lived":true}`, metadata.NoInquiry},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newLife("b")
				defer store.Close()
				put(t, store, "restores/2", []byte(c.bid))
				state := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2)}
				restoreFrom(t, store, metadata.FromLife, 1, sharedAt(t, 100, state, nil))
				if got := partitionIn(t, store); got.Inquiry != c.inquiry {
					t.Errorf("it was put back as %+v", got)
				}
			})
		})
	}
}

// Who puts back a lot takes its time, and says that it is about it: nobody else puts back what is less meanwhile.
func TestOneThatTakesItsTimeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLife("b")
		defer store.Close()
		const furthest = `{"ensemble":"b","of":"a","revision":120,"broker":2,"complete":true,"lived":true}`
		put(t, store, "restores/2", []byte(furthest))
		state := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2)}
		var second sync.WaitGroup
		second.Go(func() { restoreFrom(t, store, metadata.FromLife, 1, sharedAt(t, 100, state, nil)) })
		for range 30 {
			time.Sleep(time.Second)
			put(t, store, "restores/2", []byte(furthest))
		}
		if page, err := store.Range(t.Context(), metadata.RangeRequest{Prefix: metadata.PartitionsOf(lifeTopic)}); err != nil || len(page.KVs) > 0 {
			t.Errorf("meanwhile %v was put back, error %v", page.KVs, err)
		}
		put(t, store, "restored", []byte(furthest))
		second.Wait()
	})
}

// What was put back was of another life than what a late broker knows: revisions tell which is newer all the same.
func TestLateFromAnotherLife(t *testing.T) {
	for _, c := range []struct {
		name     string
		of       string
		revision metadata.Revision
		isr      []metadata.Member
	}{
		{"a later one", "b", 200, members(3)},
		{"an older one", "z", 50, members(1, 2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newLife("c")
				defer store.Close()
				first := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2)}
				restoreFrom(t, store, metadata.FromJournal, 1, sharedAt(t, 100, first, nil))
				other := metadata.Partition{Leader: 3, LeaderEpoch: 9, Epoch: 20, ISR: members(3)}
				restoreOf(t, store, c.of, metadata.FromJournal, 3, sharedAt(t, c.revision, other, nil))
				if got := partitionIn(t, store); !slices.Equal(got.ISR, c.isr) || got.Inquiry != metadata.InquiryRestored {
					t.Errorf("it is %+v", got)
				}
			})
		})
	}
}

// The state that a late broker brings names a copy on a store that another one has come back with, of which the first one had not heard: the
// member has that store, or the copy would count as destroyed. What a broker has said in this life stays.
func TestLateKnowsAMembersNewerStore(t *testing.T) {
	for _, here := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := newLife("b")
			defer store.Close()
			member := func(store byte, started int64, told string) map[string][]byte {
				return map[string][]byte{metadata.MemberKey(2): metadata.EncodeBroker(&metadata.Broker{
					Stores: []ident.StoreID{{store}}, StartedMs: started, Told: told,
				})}
			}
			state := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2, 3)}
			restoreFrom(t, store, metadata.FromJournal, 1, sharedAt(t, 100, state, member(2, 1000, "a")))
			want := byte(9)
			if here {
				want = 7
				put(t, store, metadata.MemberKey(2), member(want, 1500, "b")[metadata.MemberKey(2)])
			}
			state.Epoch, state.ISR = 12, []metadata.Member{{Broker: 2, Store: ident.StoreID{9}}}
			restoreFrom(t, store, metadata.FromJournal, 3, sharedAt(t, 110, state, member(9, 2000, "a")))
			if m := imageOf(t, store).Member(2); !m.HasStore(ident.StoreID{want}) {
				t.Errorf("here %t: the member is %+v", here, m)
			}
			// One that comes last and knows less has nothing to say of it.
			restoreFrom(t, store, metadata.FromJournal, 2, sharedAt(t, 105, state, member(2, 1000, "a")))
			if m := imageOf(t, store).Member(2); !m.HasStore(ident.StoreID{want}) {
				t.Errorf("here %t: in the end the member is %+v", here, m)
			}
		})
	}
}

// The keepers have kept the state of a partition, and all that have a replica of it have told all that they know: it is led. Another broker comes
// late that knows no more of that partition: it goes on being led.
func TestLateLeavesAloneWhatIsInNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := metadata.Partition{Leader: 1, LeaderEpoch: 5, Epoch: 10, ISR: members(1, 2, 3), Ceiling: 100}
		store := recoveredWith(t, state)
		defer store.Close()
		var all sync.WaitGroup
		for id := range ident.BrokerID(3) {
			all.Go(func() { restoreFrom(t, store, metadata.FromJournal, id+1, sharedAt(t, 96, state, nil)) })
		}
		all.Wait()
		restoreFrom(t, store, metadata.FromJournal, 4, sharedAt(t, 97, state, nil))
		if got := partitionIn(t, store); got.Leader != 1 || got.Inquiry != metadata.NoInquiry {
			t.Errorf("it is %+v", got)
		}
	})
}
