----------------------------- MODULE Partition -----------------------------
(***************************************************************************)
(* One partition of Barnabas, as internal/replication, internal/controller  *)
(* and internal/broker/proposer.go treat it; docs/spec/README.md says what  *)
(* is left out. A step is what the code does at once: under the partition's *)
(* mutex, or in one transaction of the metadata store.                      *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets, TLC

CONSTANTS
  Brokers, NoOne,
  MinISR,          \* effective min.insync.replicas
  Step,            \* metadata.CeilingStep
  MaxEpoch,        \* leader epochs that are looked at
  MaxRecords,      \* records that producers send
  Crashes, MachineCrashes, Wipes, Evictions, Leaves, Moves, \* how many of each fault a history has
  Bugs             \* what is planted, see README.md

Bug(name) == name \in Bugs

VARIABLES
  meta,   \* the partition's key in the metadata store: a compare-and-set register
  reg,    \* the brokers' registrations
  disk,   \* the brokers' stores
  proc,   \* the brokers' processes: views, roles, what they know of each other
  prop,   \* proposals of in-sync sets on their way to the store; they outlive who made them
  shown,  \* ghost: <<offset, record>> that consumers could read, and producers had acknowledged
  ledger, \* losses that are named: <<start, end>>
  quiet,  \* ghost: ranges that a torn leader's election gave up, and that nobody names
  wrong,  \* ghost: promises about a step that were broken
  sent,   \* records sent
  left    \* faults that may still happen

vars == <<meta, reg, disk, proc, prop, shown, ledger, quiet, wrong, sent, left>>

Min(S) == CHOOSE x \in S : \A y \in S : x <= y
Max(S) == CHOOSE x \in S : \A y \in S : x >= y

(***************************************************************************)
(* Logs. A record is [e |-> leader epoch, v |-> identity].                  *)
(***************************************************************************)
NoLog == -1                                   \* a store that has no log of the partition yet
EndOf(d) == IF d.start = NoLog THEN 0 ELSE d.start + Len(d.log)
LastEpoch(d) == IF d.log = <<>> THEN 0 ELSE d.log[Len(d.log)].e
Upto(d, o) == SubSeq(d.log, 1, o - d.start)   \* what lies below an offset
HoldsIn(d, x) == /\ d.start # NoLog
                 /\ d.start <= x[1]
                 /\ x[1] < EndOf(d)
                 /\ d.log[x[1] - d.start + 1].v = x[2]
Holds(b, x) == HoldsIn(disk[b], x)
\* What consumers see: a batch that holds no record (v = 0) only takes up offsets.
Visible(d, hw) == {x \in {<<o, d.log[o - d.start + 1].v>> : o \in d.start .. hw - 1} : x[2] # 0}

\* Where an epoch, or the last one before it, ends (storage/leader_epochs.go).
EpochEnd(d, e) == d.start + Cardinality({i \in 1 .. Len(d.log) : d.log[i].e <= e})
EpochAtMost(d, e) == LET S == {d.log[i].e : i \in 1 .. Len(d.log)}
                         T == {x \in S : x <= e}
                     IN IF T = {} THEN e ELSE Max(T)

Covered(o) == \E r \in ledger \cup quiet : r[1] <= o /\ o < r[2]

(***************************************************************************)
(* What is known of a copy (controller/elect.go).                           *)
(***************************************************************************)
Standing(m) ==
  LET r == reg[m[1]]
      has == r.store = m[2] \/ Bug("TrustEmptyDisk") \* r.store is that of the last registration where there is none
  IN IF ~has THEN "destroyed"
     ELSE IF ~r.on THEN "absent"
     ELSE IF r.leaving THEN "leaving"
     ELSE IF r.torn THEN "torn"
     ELSE "live"

In(members, standing) == {m \in members : Standing(m) = standing}
Of(members) == {m[1] : m \in members}

(***************************************************************************)
(* Processes.                                                               *)
(***************************************************************************)
Unseen == [b \in Brokers |-> <<0, -1>>]
Down == [up |-> FALSE, srv |-> FALSE, role |-> "none", epoch |-> 0, leader |-> NoOne, isr |-> {},
         ceiling |-> 0, begin |-> 0, hw |-> 0, pend |-> {}, prog |-> Unseen]
NoProp == [epoch |-> 0, base |-> {}, isr |-> {}, void |-> FALSE, old |-> FALSE, done |-> FALSE]

\* nextHighWatermark: over the leader and the maximal in-sync set, and not below MinISR members of the committed one.
NextHW(b, d, p) ==
  LET counted == {m \in p.isr \cup p.pend : m[1] # b}
      heard == \A m \in counted : p.prog[m[1]][1] = m[2]
      ends == {p.prog[m[1]][2] : m \in counted} \cup {EndOf(d)}
      enough == Max({x \in 0 .. EndOf(d) : Cardinality({m \in counted : p.prog[m[1]][2] >= x}) + 1 >= MinISR})
      mark == IF Bug("HighWatermarkOneShort") THEN Min({EndOf(d), Min(ends) + 1})
              ELSE IF Bug("HighWatermarkFewerStores") THEN enough
              ELSE Min(ends)
  IN IF Cardinality(p.isr) < MinISR \/ (~heard /\ ~Bug("HighWatermarkFewerStores")) THEN p.hw ELSE Max({p.hw, mark})

Advanced(b, d, p) == [p EXCEPT !.hw = NextHW(b, d, p)]

Init ==
  \E l \in Brokers :
    LET all == {<<b, 1>> : b \in Brokers} IN
    /\ meta = [leader |-> l, epoch |-> 1, isr |-> all, elr |-> {}, ceiling |-> Step, start |-> 0,
               inquiry |-> "none", resume |-> 0]
    /\ reg = [b \in Brokers |-> [on |-> TRUE, store |-> 1, torn |-> FALSE, leaving |-> FALSE, known |-> TRUE]]
    /\ disk = [b \in Brokers |-> [store |-> 1, start |-> 0, log |-> <<>>, hw |-> 0, torn |-> FALSE]]
    /\ proc = [b \in Brokers |->
         [Down EXCEPT !.up = TRUE, !.srv = TRUE, !.epoch = 1, !.leader = l,
                      !.role = IF b = l THEN "leading" ELSE "following",
                      !.isr = IF b = l THEN all ELSE {},
                      !.ceiling = IF b = l THEN Step ELSE 0,
                      !.prog = IF b = l THEN [c \in Brokers |-> <<1, -1>>] ELSE Unseen]]
    /\ prop = [b \in Brokers |-> NoProp]
    /\ shown = {} /\ ledger = {} /\ quiet = {} /\ wrong = {} /\ sent = 0
    /\ left = [crash |-> Crashes, machine |-> MachineCrashes, wipe |-> Wipes, evict |-> Evictions,
               leave |-> Leaves, move |-> Moves]

Leads(b) == proc[b].up /\ proc[b].role = "leading"

(***************************************************************************)
(* Producers. One that wants fewer acknowledgements appends whatever the    *)
(* set is; what is shown later has to be kept either way.                   *)
(***************************************************************************)
Produce(b) ==
  /\ Leads(b) /\ proc[b].srv /\ sent < MaxRecords
  /\ EndOf(disk[b]) < proc[b].ceiling
  /\ LET d == [disk[b] EXCEPT !.log = Append(@, [e |-> proc[b].epoch, v |-> sent + 1])]
         p == Advanced(b, d, proc[b])
     IN /\ disk' = [disk EXCEPT ![b] = d]
        /\ proc' = [proc EXCEPT ![b] = p]
        /\ shown' = shown \cup Visible(d, p.hw)
  /\ sent' = sent + 1
  /\ UNCHANGED <<meta, reg, prop, ledger, quiet, wrong, left>>

(***************************************************************************)
(* A follower's fetch: replication/read.go and follower.go.                 *)
(***************************************************************************)
\* Cutting off [to, end) of f's log: what was below its high watermark must be named.
Cut(f, d) ==
  /\ disk' = [disk EXCEPT ![f] = d]
  /\ LET hw == IF proc[f].hw < EndOf(d) THEN proc[f].hw ELSE EndOf(d)
         gone == {x \in Visible(disk[f], proc[f].hw) : ~HoldsIn(d, x)}
     IN /\ proc' = [proc EXCEPT ![f].hw = IF d.log = <<>> THEN d.start ELSE hw]
        /\ wrong' = wrong \cup (IF \A x \in gone : Covered(x[1]) THEN {} ELSE {"cut below the high watermark"})
  /\ UNCHANGED <<meta, reg, prop, shown, ledger, quiet, sent, left>>

\* The follower's own idea of where the leader's epoch ends (KIP-279).
Truncation(f, e, end) ==
  LET d == disk[f]
      ours == IF d.log = <<>> \/ e > LastEpoch(d) THEN end ELSE EpochEnd(d, e)
  IN Max({d.start, Min({end, EndOf(d), ours})})

\* The leader's row for the follower, the high watermark, and whether the follower may join now (KIP-841, KIP-497).
Noted(l, f) ==
  LET p == proc[l]
      q == [p EXCEPT !.prog[f] = <<disk[f].store, EndOf(disk[f])>>]
      m == <<f, disk[f].store>>
      joins == /\ p.pend = {} /\ reg[f].on /\ ~reg[f].leaving
               /\ m \notin p.isr
               /\ EndOf(disk[f]) >= p.hw /\ EndOf(disk[f]) >= p.begin
      next == {x \in p.isr : x[1] # f} \cup {m}
  IN [joins |-> joins, next |-> next,
      p |-> Advanced(l, disk[l], IF joins THEN [q EXCEPT !.pend = next] ELSE q)]

Fetch(f, l) ==
  LET d == disk[f]
      ld == disk[l]
      e == LastEpoch(d)
      at == EndOf(d)
      theirs == IF e = proc[l].epoch THEN e ELSE EpochAtMost(ld, e)
      end == IF e = proc[l].epoch THEN EndOf(ld) ELSE EpochEnd(ld, e)
      diverges == e # 0 /\ at >= ld.start /\ (theirs < e \/ end < at) /\ ~Bug("SkipTruncation")
      outside == at < ld.start \/ (at > EndOf(ld) /\ ~Bug("SkipTruncation"))
  IN
  /\ f # l /\ Leads(l) /\ proc[l].srv
  /\ proc[f].up /\ proc[f].role = "following" /\ proc[f].leader = l /\ proc[f].epoch = proc[l].epoch
  /\ \/ /\ diverges
        /\ LET to == Truncation(f, theirs, end) IN Cut(f, [d EXCEPT !.log = Upto(d, to)])
     \/ /\ ~diverges /\ outside
        /\ IF at > EndOf(ld) THEN Cut(f, [d EXCEPT !.log = Upto(d, Max({d.start, EndOf(ld)}))])
           ELSE Cut(f, [d EXCEPT !.log = <<>>, !.start = ld.start])
     \/ /\ ~diverges /\ ~outside
        /\ LET n == Noted(l, f) IN
           \E take \in {0, 1} : \* the answer may be lost
             /\ take = 1 => at < EndOf(ld)
             /\ take = 0 => at = EndOf(ld) \/ n.p # proc[l]
             /\ LET nd == IF take = 1 THEN [d EXCEPT !.log = Append(@, ld.log[at - ld.start + 1])] ELSE d
                    hw == Min({EndOf(nd), Max({proc[f].hw, proc[l].hw})})
                IN /\ disk' = [disk EXCEPT ![f] = nd]
                   /\ proc' = [proc EXCEPT ![l] = n.p, ![f].hw = hw]
                   /\ shown' = shown \cup Visible(ld, n.p.hw) \cup Visible(nd, hw)
             /\ prop' = IF n.joins
                        THEN [prop EXCEPT ![l] = [epoch |-> proc[l].epoch, base |-> proc[l].isr, isr |-> n.next, void |-> FALSE, old |-> FALSE, done |-> FALSE]]
                        ELSE prop
        /\ UNCHANGED <<meta, reg, ledger, quiet, wrong, sent, left>>

(***************************************************************************)
(* In-sync sets: replication/isr.go, broker/proposer.go.                    *)
(***************************************************************************)
\* A follower that does not have everything may always be too late: time is not modelled.
ProposeShrink(l, m) ==
  /\ Leads(l) /\ proc[l].srv /\ proc[l].pend = {} /\ m \in proc[l].isr /\ m[1] # l
  /\ proc[l].prog[m[1]] # <<m[2], EndOf(disk[l])>>
  /\ LET next == proc[l].isr \ {m} IN
     /\ proc' = [proc EXCEPT ![l].pend = next]
     /\ prop' = [prop EXCEPT ![l] = [epoch |-> proc[l].epoch, base |-> proc[l].isr, isr |-> next, void |-> FALSE, old |-> FALSE, done |-> FALSE]]
  /\ UNCHANGED <<meta, reg, disk, shown, ledger, quiet, wrong, sent, left>>

\* The controller has acted on the registrations that are there.
Known == [b \in Brokers |-> [reg[b] EXCEPT !.known = TRUE]]
\* Another write of the partition's key is no sign of that.
Touched == IF Bug("TornForgotten") THEN Known ELSE reg

Stands(l) ==
  LET q == prop[l] IN
  /\ meta.leader = l /\ meta.epoch = q.epoch /\ meta.isr = q.base
  /\ \A m \in q.isr \ q.base : reg[m[1]].on
  /\ Bug("NewcomerOfAnyLife") \/ ~q.void
  /\ Bug("ProposerOfAnyLife") \/ ~q.old
  /\ Bug("CommittedTwice") \/ ~q.done

Commit(l) ==
  /\ prop[l] # NoProp /\ Stands(l)
  /\ LET isr == prop[l].isr
         out == {m \in meta.elr \cup meta.isr : m[1] \notin Of(isr)}
     IN meta' = [meta EXCEPT !.isr = isr, !.elr = IF Cardinality(isr) < MinISR THEN out ELSE {}]
  /\ reg' = Touched
  /\ \E answered \in BOOLEAN : prop' = IF answered THEN [prop EXCEPT ![l] = NoProp] ELSE [prop EXCEPT ![l].done = TRUE]
  /\ UNCHANGED <<disk, proc, shown, ledger, quiet, wrong, sent, left>>

\* The broker has taken over what the partition's key says now.
Current(b) == proc[b].epoch = meta.epoch /\ (Leads(b) => proc[b].isr = meta.isr)

\* The proposal is void: the leader counts on the committed set alone again, once it knows that.
Refuse(l) ==
  /\ prop[l] # NoProp /\ ~Stands(l)
  /\ prop' = [prop EXCEPT ![l] = NoProp]
  /\ IF Leads(l) /\ proc[l].epoch = prop[l].epoch
     THEN /\ Current(l) \/ Bug("RefusedTooEarly")
          /\ proc' = [proc EXCEPT ![l].pend = {}]
     ELSE UNCHANGED proc
  /\ UNCHANGED <<meta, reg, disk, shown, ledger, quiet, wrong, sent, left>>

\* The store does not answer in time; whether the transaction takes place is unknown.
GiveUp(l) ==
  /\ Bug("UnknownIsRefused")
  /\ prop[l] # NoProp /\ Leads(l) /\ proc[l].epoch = prop[l].epoch /\ proc[l].pend # {}
  /\ proc' = [proc EXCEPT ![l].pend = {}]
  /\ UNCHANGED <<meta, reg, disk, prop, shown, ledger, quiet, wrong, sent, left>>

RaiseCeiling(l) ==
  /\ Leads(l) /\ meta.leader = l /\ meta.epoch = proc[l].epoch
  /\ 2 * EndOf(disk[l]) > 2 * proc[l].ceiling - Step
  /\ meta.ceiling <= proc[l].ceiling /\ sent < MaxRecords
  /\ meta' = [meta EXCEPT !.ceiling = Max({EndOf(disk[l]), proc[l].ceiling}) + Step]
  /\ reg' = Touched
  /\ UNCHANGED <<disk, proc, prop, shown, ledger, quiet, wrong, sent, left>>

(***************************************************************************)
(* A broker takes over what the metadata say, some time: replication/       *)
(* assume.go.                                                               *)
(***************************************************************************)
LeadsNow(b, d) ==
  /\ meta.leader = b \/ (Bug("KeepOldLeader") /\ Leads(b))
  /\ \A m \in meta.isr : m[1] = b => m[2] = d.store \/ Bug("TrustEmptyDisk")

\* After a loss a leader gives out no offset below the ceiling of that moment.
Filled(d) == [d EXCEPT !.log = @ \o [i \in 1 .. meta.resume - EndOf(d) |-> [e |-> meta.epoch, v |-> 0]]]

\* What process p of broker b becomes.
Assume(b, p) ==
  LET made == IF disk[b].start = NoLog THEN [disk[b] EXCEPT !.start = meta.start, !.hw = meta.start] ELSE disk[b]
      leads == LeadsNow(b, made)
      same == p.role # "none" /\ (p.role = "leading") = leads /\ p.epoch = meta.epoch
      \* replication.begin
      anew == leads /\ ~same /\ EndOf(made) < meta.start
      begun == IF anew THEN [made EXCEPT !.log = <<>>, !.start = meta.start] ELSE made
      d == IF leads /\ ~same THEN Filled(begun) ELSE begun
      hw == IF anew THEN meta.start ELSE IF p.role = "none" THEN made.hw ELSE p.hw
      \* A proposal is void once the set has changed, and on its way until then.
      keeps == same /\ meta.isr = p.isr /\ ~Bug("PendingDropped")
      supposed(c) == IF c # b /\ \E m \in meta.isr : m[1] = c
                     THEN <<(CHOOSE m \in meta.isr : m[1] = c)[2], -1>> ELSE <<0, -1>>
      view == [p EXCEPT !.role = IF leads THEN "leading" ELSE "following", !.epoch = meta.epoch, !.leader = meta.leader,
                        !.isr = IF leads THEN meta.isr ELSE {}, !.ceiling = IF leads THEN meta.ceiling ELSE 0,
                        !.begin = IF ~leads THEN 0 ELSE IF same THEN p.begin ELSE EndOf(begun),
                        !.hw = hw,
                        !.pend = IF leads /\ keeps THEN p.pend ELSE {},
                        !.prog = IF ~leads THEN Unseen ELSE IF same THEN p.prog ELSE [c \in Brokers |-> supposed(c)]]
      \* Until the broker serves, what its life before has proposed may still come about.
      next == IF leads /\ (p.srv \/ Bug("AdvancedUnregistered")) THEN Advanced(b, d, view) ELSE view
      gone == IF anew THEN {x \in Visible(made, p.hw) : ~Covered(x[1])} ELSE {}
  IN
  /\ next # p
  /\ proc' = [proc EXCEPT ![b] = next]
  /\ disk' = [disk EXCEPT ![b] = d]
  /\ shown' = IF leads THEN shown \cup Visible(d, next.hw) ELSE shown
  /\ wrong' = wrong \cup (IF gone = {} THEN {} ELSE {"begun anew over records"})
  /\ UNCHANGED <<meta, reg, prop, ledger, quiet, sent, left>>

Apply(b) ==
  /\ proc[b].up
  /\ meta.epoch # proc[b].epoch \/ meta.leader # proc[b].leader \/ (Leads(b) /\ (meta.isr # proc[b].isr \/ meta.ceiling # proc[b].ceiling))
  /\ Assume(b, proc[b])

(***************************************************************************)
(* The controller: controller/elect.go, leavers.go and inquire.go. Of       *)
(* several that could lead the code takes the first replica; here it is any.*)
(***************************************************************************)
Isr0 == {m \in meta.isr : Standing(m) # "destroyed"}
Elr0 == {m \in meta.elr : Standing(m) \notin {"destroyed", "torn"}}
IsWhole(m) == Standing(m) \in {"live", "leaving"}
CanLead(m) == IsWhole(m) \/ Standing(m) = "torn"
FreshlyTorn(m) == Standing(m) = "torn" /\ ~reg[m[1]].known

AskTorn == \/ meta.inquiry = "torn"
           \/ \E m \in Isr0 : FreshlyTorn(m)
           \/ Isr0 = {} /\ \E m \in meta.elr : Standing(m) = "torn"

\* Why the stores have to be asked.
Inquiry ==
  IF Isr0 = {} /\ {m \in meta.elr : Standing(m) # "destroyed"} = {} /\ meta.isr \cup meta.elr # {} THEN "destroyed"
  ELSE IF \E m \in Isr0 \cup Elr0 : IsWhole(m) THEN "none"
  ELSE IF Cardinality(Brokers) > 1 /\ AskTorn THEN "torn"
  ELSE "none"

\* Who remains in the set: of those that leave as many as the minimum needs.
Staying ==
  LET live == In(Isr0, "live")
      torn == In(Isr0, "torn")
      leaving == In(Isr0, "leaving")
      first == IF live = {} /\ Bug("TornBeforeLeaving") THEN torn ELSE live
      want == Max({1, MinISR}) - Cardinality(first)
      some == {S \in SUBSET leaving : Cardinality(S) = Min({Max({0, want}), Cardinality(leaving)})}
      eligible == ~Bug("TornBeforeEligible") /\ \E m \in Elr0 : CanLead(m)
  IN IF first = {} /\ leaving = {} THEN {IF eligible THEN {} ELSE torn}
     ELSE {first \cup S : S \in some}

Elected(leader, isr, elr) ==
  LET bump == leader # meta.leader \/ \E m \in isr : FreshlyTorn(m)
  IN [meta EXCEPT !.leader = leader, !.isr = isr, !.elr = elr, !.inquiry = "none",
                  !.epoch = IF bump /\ ~Bug("SameEpoch") THEN @ + 1 ELSE @]

Outcomes(stay) ==
  LET away == {m \in Isr0 \ stay : Standing(m) # "torn"}
      isr == IF stay = {} THEN Isr0 ELSE stay
      elr == IF stay = {} THEN Elr0 ELSE IF Cardinality(stay) >= MinISR THEN {} ELSE Elr0 \cup away
      here == {m \in stay : Standing(m) # "leaving"}
      among == IF here # {} THEN here ELSE stay
      second == {m \in Elr0 : CanLead(m)}
      rest(m) == {x \in Elr0 \cup (IF MinISR = 1 \/ Bug("InSyncForgotten") THEN {} ELSE {y \in Isr0 : Standing(y) # "torn"}) : x[1] # m[1]}
  IN IF Bug("ElectOutOfSet") /\ (\E c \in Brokers : reg[c].on)
     THEN IF meta.leader # NoOne /\ reg[meta.leader].on THEN {meta}
          ELSE {Elected(b, {<<b, reg[b].store>>}, {}) : b \in {c \in Brokers : reg[c].on}}
     ELSE IF among # {}
     THEN IF meta.leader \in Of(among) THEN {Elected(meta.leader, isr, elr)}
          ELSE {Elected(m[1], isr, elr) : m \in among}
     ELSE IF second # {} THEN {Elected(m[1], {m}, rest(m)) : m \in second}
     ELSE {Elected(NoOne, isr, elr)}

\* Every copy that counted is destroyed, or a machine crash took its end: what that lost is nowhere, and
\* nobody but the high watermarks on disk can say so.
AllTorn == \A m \in meta.isr \cup meta.elr : disk[m[1]].store # m[2] \/ disk[m[1]].torn

Elect ==
  /\ Inquiry = "none"
  /\ \E stay \in Staying : \E next \in Outcomes(stay) :
       /\ next # meta
       /\ meta' = next
       /\ quiet' = IF AllTorn /\ next.leader # NoOne /\ next.leader \in Of(In(next.isr, "torn")) /\ next.epoch # meta.epoch
                   THEN quiet \cup {<<EndOf(disk[next.leader]), meta.ceiling>>} ELSE quiet
  /\ reg' = Known
  /\ UNCHANGED <<disk, proc, prop, shown, ledger, wrong, sent, left>>

\* The question is the partition without a leader, in an epoch of its own.
Ask ==
  /\ Inquiry # "none" /\ meta.inquiry # Inquiry
  /\ meta' = [meta EXCEPT !.inquiry = Inquiry, !.leader = NoOne, !.epoch = @ + 1]
  /\ reg' = Touched
  /\ UNCHANGED <<disk, proc, prop, shown, ledger, quiet, wrong, sent, left>>

Awaited(b) == \/ reg[b].on
              \/ meta.inquiry = "destroyed"
              \/ \E m \in Isr0 \cup {x \in meta.elr : Standing(x) # "destroyed"} : m[1] = b

\* A broker answers once it has heard the question, and so follows nobody. What it said stays true.
Answers(b) == proc[b].up /\ reg[b].on /\ reg[b].store = disk[b].store /\ Current(b)

Less(a, b) == \* b's copy is fuller than a's
  LET x == disk[a] y == disk[b] IN
  \/ x.log = <<>> /\ y.log # <<>>
  \/ x.log # <<>> /\ y.log # <<>> /\ (LastEpoch(x) < LastEpoch(y) \/ (LastEpoch(x) = LastEpoch(y) /\ EndOf(x) < EndOf(y)))

\* All have answered: the fullest leads, and the loss is named.
Name ==
  /\ Inquiry # "none" /\ meta.inquiry = Inquiry
  /\ \A b \in Brokers : Awaited(b) => Answers(b)
  /\ \E b \in Brokers :
       LET empty == disk[b].log = <<>>
           torn == Inquiry = "torn"
           from == IF torn \/ ~empty THEN EndOf(disk[b]) ELSE meta.start
           top == Max({proc[c].hw : c \in {x \in Brokers : Answers(x)}})
           to == IF torn THEN top ELSE meta.ceiling
           lost == {x \in shown : ~Covered(x[1]) /\ ~Holds(b, x)}
       IN
       /\ Answers(b)
       /\ \A c \in Brokers : Answers(c) => ~Less(b, c)
       /\ meta' = [meta EXCEPT !.inquiry = "none", !.leader = b, !.epoch = @ + 1, !.isr = {<<b, disk[b].store>>}, !.elr = {},
                     !.start = IF torn \/ ~empty THEN @ ELSE IF Bug("ReuseOffset") THEN 0 ELSE meta.ceiling,
                     !.resume = IF torn \/ Bug("ReuseOffset") THEN @ ELSE meta.ceiling,
                     !.ceiling = IF torn THEN @ ELSE @ + Step]
       /\ ledger' = IF from < to /\ ~Bug("LossUnnamed") THEN ledger \cup {<<from, to>>} ELSE ledger
       \* What no high watermark on disk tells of.
       /\ quiet' = IF torn /\ AllTorn THEN quiet \cup {<<Min({from} \cup {x[1] : x \in lost}), meta.ceiling>>} ELSE quiet
       /\ wrong' = wrong \cup
            (IF ~torn /\ \E m \in meta.isr \cup meta.elr : disk[m[1]].store = m[2] THEN {"a living copy was given up"} ELSE {})
            \* With a minimum of one, a copy outside the sets is not waited for after a machine crash (README.md).
            \cup (IF (torn => MinISR > 1) /\ \E x \in lost : x[1] < from \/ \E c \in Brokers : Holds(c, x) THEN {"a fuller copy was given up"} ELSE {})
  /\ reg' = Known
  /\ UNCHANGED <<disk, proc, prop, shown, sent, left>>

\* The preferred leader's election, or a reassignment of leadership by hand.
Move(b) ==
  /\ left.move > 0 /\ meta.leader # b /\ meta.leader # NoOne
  /\ \E m \in meta.isr : m[1] = b /\ Standing(m) = "live"
  /\ meta' = [meta EXCEPT !.leader = b, !.epoch = IF Bug("SameEpoch") THEN @ ELSE @ + 1]
  /\ reg' = Touched
  /\ left' = [left EXCEPT !.move = @ - 1]
  /\ UNCHANGED <<disk, proc, prop, shown, ledger, quiet, wrong, sent>>

(***************************************************************************)
(* Brokers come and go.                                                     *)
(***************************************************************************)
\* A new registration ends what counts on the one before: as whose newcomer, or as who proposed.
Voided(b) == [l \in Brokers |->
  IF prop[l] = NoProp THEN NoProp
  ELSE [prop[l] EXCEPT !.void = @ \/ \E m \in prop[l].isr \ prop[l].base : m[1] = b, !.old = @ \/ l = b]]

Die(b, d) == /\ proc' = [proc EXCEPT ![b] = Down]
             /\ disk' = [disk EXCEPT ![b] = d]
             /\ UNCHANGED <<meta, reg, prop, shown, ledger, quiet, wrong, sent>>

HWs(b) == {disk[b].start, IF proc[b].role = "none" THEN disk[b].hw ELSE proc[b].hw}

\* The process dies. The high watermark on disk is of some time before.
Crash(b) ==
  /\ proc[b].up /\ left.crash > 0
  /\ \E hw \in HWs(b) : Die(b, [disk[b] EXCEPT !.hw = hw])
  /\ left' = [left EXCEPT !.crash = @ - 1]

\* The machine dies: what was not synced is gone, and nothing need have been.
MachineCrash(b) ==
  /\ left.machine > 0 /\ (proc[b].up \/ ~disk[b].torn) /\ disk[b].start # NoLog
  /\ \E k \in 0 .. Len(disk[b].log), hw \in HWs(b) :
       Die(b, [disk[b] EXCEPT !.log = SubSeq(@, 1, k), !.torn = TRUE, !.hw = Min({hw, disk[b].start + k})])
  /\ left' = [left EXCEPT !.machine = @ - 1]

Wipe(b) ==
  /\ left.wipe > 0
  /\ Die(b, [store |-> disk[b].store + 1, start |-> NoLog, log |-> <<>>, hw |-> 0, torn |-> FALSE])
  /\ left' = [left EXCEPT !.wipe = @ - 1]

\* A process begins with the image of that moment, before it is registered.
Start(b) == ~proc[b].up /\ Assume(b, [Down EXCEPT !.up = TRUE])

\* A registration is replaced by one of the same store, which one process at a time has; of another, once its lease is over.
Register(b) ==
  /\ proc[b].up /\ (Current(b) \/ Bug("ServedEarly"))
  /\ (~proc[b].srv \/ ~reg[b].on)
  /\ reg[b].on => reg[b].store = disk[b].store /\ ~(reg[b].torn /\ disk[b].torn)
  /\ reg' = [reg EXCEPT ![b] = [on |-> TRUE, store |-> disk[b].store, torn |-> disk[b].torn, leaving |-> FALSE, known |-> FALSE]]
  /\ prop' = Voided(b)
  /\ proc' = [proc EXCEPT ![b].srv = proc[b].srv \/ ~disk[b].torn]
  /\ UNCHANGED <<meta, disk, shown, ledger, quiet, wrong, sent, left>>

\* broker/torn.go: the controller has taken in that the end of the log may be missing.
Settle(b) ==
  /\ proc[b].up /\ ~proc[b].srv /\ (Current(b) \/ Bug("ServedEarly"))
  /\ reg[b].on /\ reg[b].torn /\ disk[b].torn
  /\ b \in Of(meta.isr \cup meta.elr) => reg[b].known \* which no inquiry makes it
  /\ disk' = [disk EXCEPT ![b].torn = FALSE]
  /\ reg' = [reg EXCEPT ![b].torn = FALSE]
  /\ proc' = [proc EXCEPT ![b].srv = TRUE]
  /\ UNCHANGED <<meta, prop, shown, ledger, quiet, wrong, sent, left>>

Fence(b) ==
  /\ reg[b].on
  /\ IF proc[b].up THEN left.evict > 0 /\ left' = [left EXCEPT !.evict = @ - 1] ELSE UNCHANGED left
  /\ reg' = [reg EXCEPT ![b].on = FALSE]
  /\ UNCHANGED <<meta, disk, proc, prop, shown, ledger, quiet, wrong, sent>>

Leave(b) ==
  /\ left.leave > 0 /\ proc[b].srv /\ reg[b].on /\ ~reg[b].leaving
  /\ reg' = [reg EXCEPT ![b].leaving = TRUE]
  /\ left' = [left EXCEPT !.leave = @ - 1]
  /\ UNCHANGED <<meta, disk, proc, prop, shown, ledger, quiet, wrong, sent>>
Next ==
  \/ \E b \in Brokers : \/ Produce(b) \/ Apply(b) \/ Commit(b) \/ Refuse(b) \/ GiveUp(b) \/ RaiseCeiling(b)
                       \/ Move(b) \/ Crash(b) \/ MachineCrash(b) \/ Wipe(b) \/ Start(b) \/ Register(b)
                       \/ Settle(b) \/ Fence(b) \/ Leave(b)
  \/ \E f, l \in Brokers : Fetch(f, l)
  \/ \E l \in Brokers : \E m \in proc[l].isr : ProposeShrink(l, m)
  \/ Elect \/ Ask \/ Name

Spec == Init /\ [][Next]_vars

(***************************************************************************)
(* The promises.                                                            *)
(***************************************************************************)
\* Who leads now has every record that was ever shown, but for losses that are named.
LeaderHasAll ==
  \A b \in Brokers : Leads(b) /\ proc[b].srv /\ proc[b].epoch = meta.epoch => \A x \in shown : Covered(x[1]) \/ Holds(b, x)

\* A record that was shown is on some store, or its loss is named, or is about to be: all stores that counted are gone or torn.
NoSilentLoss ==
  \A x \in shown :
    \/ Covered(x[1])
    \/ \E b \in Brokers : Holds(b, x)
    \/ AllTorn

\* Whoever may be elected without loss has every record that was shown.
SetsHaveAll ==
  \A m \in meta.isr \cup meta.elr :
    disk[m[1]].store = m[2] /\ ~disk[m[1]].torn => \A x \in shown : Covered(x[1]) \/ Holds(m[1], x)

NoReuse == \A x, y \in shown : x[1] = y[1] => x[2] = y[2] \/ \E r \in quiet : r[1] <= x[1] /\ x[1] < r[2]

OneLeader == \A b, c \in Brokers : b # c /\ Leads(b) /\ Leads(c) => proc[b].epoch # proc[c].epoch

\* The same epoch and offset are the same record, on every store.
LogsMatch ==
  \A b, c \in Brokers :
    \A i \in 1 .. Len(disk[b].log) :
      LET o == disk[b].start + i - 1
          j == o - disk[c].start + 1
      IN 1 <= j /\ j <= Len(disk[c].log) /\ disk[c].log[j].e = disk[b].log[i].e => disk[c].log[j].v = disk[b].log[i].v

BelowCeiling == \A b \in Brokers : EndOf(disk[b]) <= meta.ceiling

\* No store cuts below its own high watermark, and no copy is given up, without a loss that is named.
StepsKept == wrong = {}

\* What is known to be amiss (README.md): a loss that only machine crashes make is named as far as a store remembers.
AllNamed == \A x \in shown : (\E b \in Brokers : Holds(b, x)) \/ (\E r \in ledger : r[1] <= x[1] /\ x[1] < r[2])
                            \/ AllTorn

InScope == meta.epoch <= MaxEpoch
Symmetric == Permutations(Brokers)
=============================================================================
