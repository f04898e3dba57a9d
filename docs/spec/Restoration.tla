---------------------------- MODULE Restoration ----------------------------
(***************************************************************************)
(* One partition of Barnabas whose keepers lose everything: what brokers    *)
(* write into their journals, what they put back, and who leads then        *)
(* (ADR 15). internal/metadata/restore*.go, internal/controller/inquire.go, *)
(* internal/broker/journal*.go, known.go, rebirth.go and torn.go are what it*)
(* follows. Replication itself is Partition.tla's business, and simpler     *)
(* here; docs/spec/README.md says how.                                      *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets, TLC

CONSTANTS
  Brokers, NoOne,
  Copies,          \* replicas of the partition at first
  MinISR,          \* effective min.insync.replicas
  Step,            \* metadata.CeilingStep
  MaxEpoch,        \* leader epochs that are looked at, in each life
  MaxRecords,      \* records that producers send
  Crashes, MachineCrashes, Wipes, Moves, Reassigns, \* how many of each a history has
  Losses,          \* how often the keepers lose everything
  Survivors,       \* may some brokers live on then?
  Bugs             \* what is planted, see README.md

Bug(name) == name \in Bugs

VARIABLES
  k,      \* the keepers' store: the partition's key, members, registrations, what a restoration has said
  disk,   \* the brokers' disks: logs, journals
  proc,   \* the brokers' processes
  ghost,  \* what was shown and named, and promises about a step that were broken
  sent,   \* records sent
  left    \* faults that may still happen

vars == <<k, disk, proc, ghost, sent, left>>

Min(S) == CHOOSE x \in S : \A y \in S : x <= y
Max(S) == CHOOSE x \in S : \A y \in S : x >= y

\* metadata.leaderEpochsLeft, and as many steps of the ceiling.
Left == 10

(***************************************************************************)
(* States of the partition, and images of all that the store has.           *)
(***************************************************************************)
Nothing == [leader |-> NoOne, epoch |-> 0, pe |-> 0, reps |-> {}, isr |-> {}, elr |-> {}, inq |-> "none", ceil |-> 0, resume |-> 0]
Blank == [life |-> 0, rev |-> 0, st |-> Nothing, mem |-> [b \in Brokers |-> 0], said |-> [b \in Brokers |-> 0], led |-> {}]
\* What is in the store kk. Of the last life nobody will put anything back.
ImageOf(kk) == IF left.loss = 0 THEN [Blank EXCEPT !.life = kk.life]
               ELSE [life |-> kk.life, rev |-> kk.rev, st |-> kk.st, mem |-> kk.mem, said |-> kk.said, led |-> kk.led]
NextRev == IF left.loss = 0 THEN k.rev ELSE k.rev + 1 \* the next revision, where it will matter

NoReg == [on |-> FALSE, torn |-> FALSE, seen |-> FALSE] \* seen: the controller has acted on it
\* What was put back: of which life, up to which revision, by whose word (lived: one that had lived on), who told all, and who has been
\* here in this life.
NotPut == [rev |-> 0, of |-> 0, lived |-> FALSE, told |-> {}, here |-> {}]

Off == [up |-> FALSE, view |-> Nothing, pend |-> {}]

Me(b) == <<b, disk[b].store>>
Of(members) == {m[1] : m \in members}

Image(st, mem, rev) == [Blank EXCEPT !.life = 1, !.rev = rev, !.st = st, !.mem = mem]
Founded(reps, l) == [Nothing EXCEPT !.leader = l, !.epoch = 1, !.pe = 1, !.reps = reps, !.isr = {<<b, 1>> : b \in reps}, !.ceil = Step]
AllMembers == [b \in Brokers |-> 1]

\* What there is is an image, and all know it but those who know an older one, and have not heard since.
Begun(image, behind, older) ==
  LET knows(b) == IF b \in behind THEN older ELSE image
      store(b) == image.mem[b]
  IN
  /\ k = [life |-> 1, rev |-> image.rev, st |-> image.st, mem |-> image.mem, said |-> image.said, led |-> {},
          reg |-> [b \in Brokers |-> [NoReg EXCEPT !.on = TRUE, !.seen = TRUE]], put |-> [NotPut EXCEPT !.rev = 1], on |-> FALSE]
  /\ disk = [b \in Brokers |-> [store |-> store(b), log |-> <<>>, torn |-> FALSE, known |-> knows(b), full |-> TRUE, sure |-> knows(b)]]
  /\ proc = [b \in Brokers |-> [Off EXCEPT !.up = TRUE, !.view = knows(b).st]]
  /\ ghost = [shown |-> {}, named |-> {}, quiet |-> {}, wrong |-> {},
              acted |-> {<<1, older.st.leader, 1>>, <<image.st.epoch, image.st.leader, store(image.st.leader)>>}]
  /\ sent = 0
  /\ left = [crash |-> Crashes, machine |-> MachineCrashes, wipe |-> Wipes, move |-> Moves, reassign |-> Reassigns, loss |-> Losses]

Init ==
  \E reps \in {S \in SUBSET Brokers : Cardinality(S) = Copies} : \E l \in reps :
    LET image == Image(Founded(reps, l), AllMembers, 1) IN Begun(image, {}, image)

\* The same further on, for a third broker would take too many steps. A reassignment has brought it, and one of the first two is
\* out of the set, and has heard of nothing.
Brought(newcomer) ==
  \E a, l, c \in Brokers : Cardinality({a, l, c}) = 3 /\
    LET st == Founded({a, l}, l)
        next == [st EXCEPT !.pe = 4, !.reps = {a, l, c}, !.isr = {<<l, 1>>, <<c, 1>>}]
    IN Begun(Image(next, AllMembers, 5), {a}, Image(st, [AllMembers EXCEPT ![c] = IF newcomer THEN 0 ELSE @], 1))

InitBrought == Brought(FALSE)
InitNewcomer == Brought(TRUE) \* a broker that the cluster did not have before

\* The reassignment has had its end: the newcomer leads, and the one that has heard of nothing is no replica any more.
InitTaken ==
  \E a, l, c \in Brokers : Cardinality({a, l, c}) = 3 /\
    LET st == Founded({a, l}, l)
        next == [st EXCEPT !.pe = 6, !.epoch = 2, !.leader = c, !.reps = {l, c}, !.isr = {<<l, 1>>, <<c, 1>>}]
    IN Begun(Image(next, AllMembers, 7), {a}, Image(st, AllMembers, 1))

\* One of three was wiped, is back with another store and leads; another one is out of the set, and has heard of nothing.
InitReturned ==
  \E a, w, c \in Brokers : Cardinality({a, w, c}) = 3 /\
    LET st == Founded({a, w, c}, c)
        next == [st EXCEPT !.pe = 5, !.epoch = 2, !.leader = w, !.isr = {<<w, 2>>, <<c, 1>>}]
    IN Begun(Image(next, [AllMembers EXCEPT ![w] = 2], 5), {a}, Image(st, AllMembers, 1))

(***************************************************************************)
(* Logs. A record is [e |-> leader epoch, v |-> identity]; v = 0 only takes *)
(* up an offset. All begin at 0.                                            *)
(***************************************************************************)
Log(b) == disk[b].log
End(b) == Len(disk[b].log)
LastEpoch(log) == IF log = <<>> THEN 0 ELSE log[Len(log)].e
EpochEnd(log, e) == Cardinality({i \in 1 .. Len(log) : log[i].e <= e})
EpochAtMost(log, e) == LET T == {x \in {log[i].e : i \in 1 .. Len(log)} : x <= e} IN IF T = {} THEN e ELSE Max(T)
Records(log, n) == {x \in {<<o, log[o + 1].v>> : o \in 0 .. n - 1} : x[2] # 0}
Holds(b, x) == x[1] < End(b) /\ Log(b)[x[1] + 1].v = x[2]

Covered(o) == \E r \in ghost.named \cup ghost.quiet : r[1] <= o /\ o < r[2]

(***************************************************************************)
(* Leading and following, by what a broker has heard.                       *)
(***************************************************************************)
LeadsBy(b, st, d) == st.leader = b /\ <<b, d.store>> \in st.isr /\ ~d.torn
InLife(b) == proc[b].up /\ disk[b].known.life = k.life \* and not in one that is over
Acting(b) == proc[b].up /\ LeadsBy(b, proc[b].view, disk[b])
Follows(f, l) == proc[f].up /\ proc[f].view.leader = l /\ proc[f].view.epoch = proc[l].view.epoch /\ f \in proc[f].view.reps

\* How much of a leader's log is on all stores that count: those of the committed and of the proposed set.
SafeUpTo(b, disks, p) ==
  LET counted == (p.view.isr \cup p.pend) \ {<<b, disks[b].store>>}
      has(m, n) == /\ disks[m[1]].store = m[2] /\ Follows(m[1], b)
                   /\ n <= Len(disks[m[1]].log) /\ SubSeq(disks[m[1]].log, 1, n) = SubSeq(disks[b].log, 1, n)
  IN IF Cardinality(p.view.isr) < MinISR THEN 0
     ELSE Max({n \in 0 .. Len(disks[b].log) : \A m \in counted : n = 0 \/ has(m, n)})

Shown(b, disks, p) == Records(disks[b].log, SafeUpTo(b, disks, p))

Produce(b) ==
  /\ Acting(b) /\ sent < MaxRecords /\ End(b) < proc[b].view.ceil
  /\ LET d == [disk EXCEPT ![b].log = Append(@, [e |-> proc[b].view.epoch, v |-> sent + 1])] IN
     /\ disk' = d
     /\ ghost' = [ghost EXCEPT !.shown = @ \cup Shown(b, d, proc[b])]
  /\ sent' = sent + 1
  /\ UNCHANGED <<k, proc, left>>

\* A follower's fetch: it cuts off what the leader's epochs say, or takes the next record.
Fetch(f, l) ==
  /\ f # l /\ Acting(l) /\ Follows(f, l)
  /\ LET mine == Log(f)
         theirs == Log(l)
         e == LastEpoch(mine)
         le == EpochAtMost(theirs, e)
         end == IF e = proc[l].view.epoch THEN Len(theirs) ELSE EpochEnd(theirs, e)
         to == IF le < e THEN Min({end, Len(mine), EpochEnd(mine, le)}) ELSE Min({end, Len(mine)})
         cut == mine # <<>> /\ (le < e \/ end < Len(mine))
         next == IF cut THEN SubSeq(mine, 1, to) ELSE Append(mine, theirs[Len(mine) + 1])
         d == [disk EXCEPT ![f].log = next]
     IN
     /\ cut \/ Len(mine) < Len(theirs)
     /\ disk' = d
     /\ ghost' = [ghost EXCEPT !.shown = @ \cup Shown(l, d, proc[l])]
  /\ UNCHANGED <<k, proc, sent, left>>

(***************************************************************************)
(* Writes of the partition's key. Each counts the partition epoch on.       *)
(***************************************************************************)
Written(st) == [k EXCEPT !.st = [st EXCEPT !.pe = k.st.pe + 1], !.rev = NextRev, !.on = k.life > 1]

\* A leader changes only the state that it acts by (broker/proposer.go).
MayWrite(b) == Acting(b) /\ InLife(b) /\ proc[b].view = k.st /\ proc[b].pend = {}

Join(l, f) ==
  /\ MayWrite(l) /\ f \in k.st.reps /\ Me(f) \notin k.st.isr /\ k.reg[f].on
  /\ Follows(f, l) /\ Log(f) = Log(l)
  /\ LET isr == {m \in k.st.isr : m[1] # f} \cup {Me(f)} IN
     /\ k' = Written([k.st EXCEPT !.isr = isr, !.elr = IF Cardinality(isr) >= MinISR THEN {} ELSE {m \in @ : m[1] # f}])
     /\ proc' = [proc EXCEPT ![l].pend = isr]
  /\ UNCHANGED <<disk, ghost, sent, left>>

\* A follower that lacks something may always be too late: time is not modelled.
Shrink(l, m) ==
  /\ MayWrite(l) /\ m \in k.st.isr \ {Me(l)}
  /\ disk[m[1]].store # m[2] \/ Log(m[1]) # Log(l) \/ ~proc[m[1]].up
  /\ LET isr == k.st.isr \ {m} IN
     k' = Written([k.st EXCEPT !.isr = isr,
                    !.elr = IF Cardinality(isr) >= MinISR THEN {} ELSE {x \in @ \cup {m} : x[1] \notin Of(isr)}])
  /\ UNCHANGED <<disk, proc, ghost, sent, left>>

RaiseCeiling(l) ==
  /\ MayWrite(l) /\ End(l) >= k.st.ceil /\ sent < MaxRecords
  /\ k' = Written([k.st EXCEPT !.ceil = Max({End(l), @}) + Step])
  /\ UNCHANGED <<disk, proc, ghost, sent, left>>

(***************************************************************************)
(* What a broker hears is in its journal before it acts on it.              *)
(***************************************************************************)
\* What broker b becomes by a state: disk d, process p.
Assumed(b, st, d, p, broken) ==
  LET leads == LeadsBy(b, st, d)
      anew == leads /\ ~(p.up /\ LeadsBy(b, p.view, d) /\ p.view.epoch = st.epoch)
      filled == d.log \o [i \in 1 .. Max({0, st.resume - Len(d.log)}) |-> [e |-> st.epoch, v |-> 0]]
      \* A replica that was moved away is deleted where its partition is led (replication/stray.go).
      gone == b \notin st.reps /\ st.leader # NoOne /\ st.inq = "none"
      nd == [d EXCEPT !.log = IF gone THEN <<>> ELSE IF anew THEN filled ELSE @]
      np == [up |-> TRUE, view |-> st, pend |-> {}]
      disks == [disk EXCEPT ![b] = nd]
  IN
  /\ disk' = disks
  /\ proc' = [proc EXCEPT ![b] = np]
  /\ ghost' = [ghost EXCEPT
       !.shown = IF leads THEN @ \cup Records(nd.log, SafeUpTo(b, disks, np)) ELSE @,
       !.wrong = @ \cup broken,
       !.acted = IF anew THEN @ \cup {<<st.epoch, b, nd.store>>} ELSE @]

Hear(b) ==
  /\ InLife(b)
  /\ proc[b].view # k.st \/ (disk[b].known # ImageOf(k) /\ ~Bug("JournalAfterActing"))
  /\ Assumed(b, k.st, IF Bug("JournalAfterActing") THEN disk[b] ELSE [disk[b] EXCEPT !.known = ImageOf(k)], proc[b], {})
  /\ UNCHANGED <<k, sent, left>>

\* The journal is written at last.
Write(b) ==
  /\ Bug("JournalAfterActing") /\ InLife(b) /\ disk[b].known # ImageOf(k)
  /\ disk' = [disk EXCEPT ![b].known = ImageOf(k)]
  /\ UNCHANGED <<k, proc, ghost, sent, left>>

(***************************************************************************)
(* The controller: controller/elect.go and inquire.go.                      *)
(***************************************************************************)
\* What has been said in answer to the question that is asked now is true of the next one too, where a late broker's state takes its place.
SaidTorn(m) ==
  /\ k.st.inq # "none" /\ k.said[m[1]] # 0 /\ k.mem[m[1]] = m[2]
  /\ Bug("SaidOfThatEpoch") => k.said[m[1]] = k.st.epoch

Standing(m) ==
  LET r == k.reg[m[1]] IN
  IF k.mem[m[1]] # m[2] THEN "destroyed"
  ELSE IF ~r.on THEN "absent"
  ELSE IF r.torn \/ SaidTorn(m) THEN "torn"
  ELSE "live"

Sets == k.st.isr \cup k.st.elr
Surviving(S) == {m \in S : Standing(m) # "destroyed"}
MayLack(m) == Standing(m) = "torn" \/ SaidTorn(m)
FreshlyTorn(m) == Standing(m) = "torn" /\ ~k.reg[m[1]].seen

Controller == k.st # Nothing /\ \E b \in Brokers : k.reg[b].on

Inquiry ==
  LET isr == Surviving(k.st.isr)
      elr == Surviving(k.st.elr)
      torn == \/ k.st.inq = "torn"
              \/ \E m \in isr : FreshlyTorn(m)
              \/ isr = {} /\ \E m \in elr : Standing(m) = "torn"
  IN IF k.st.inq = "restored" /\ ~Bug("DestroyedFirst") THEN "restored"
     ELSE IF isr = {} /\ elr = {} /\ Sets # {} THEN "destroyed"
     ELSE IF k.st.inq = "restored" THEN "restored"
     ELSE IF \E m \in isr \cup elr : Standing(m) = "live" THEN "none"
     ELSE IF Cardinality(k.st.reps) > 1 /\ torn THEN "torn"
     ELSE "none"

Seen == [b \in Brokers |-> [k.reg[b] EXCEPT !.seen = TRUE]]
Forgotten == [b \in Brokers |-> 0]

Elected(st) == [Written(st) EXCEPT !.reg = Seen, !.said = Forgotten]

Elect ==
  /\ Controller /\ Inquiry = "none"
  /\ LET isr == Surviving(k.st.isr)
         elr == {m \in Surviving(k.st.elr) : ~MayLack(m)}
         live == {m \in isr : Standing(m) = "live"}
         torn == {m \in isr : Standing(m) = "torn"}
         second == {m \in elr : Standing(m) = "live"}
         stay == IF live # {} THEN live ELSE IF second # {} THEN {} ELSE torn
         away == {m \in isr \ stay : ~MayLack(m)}
         bump(l, set) == l # k.st.leader \/ \E m \in set : FreshlyTorn(m)
         led(l, set, rest) == [k.st EXCEPT !.leader = l, !.isr = set, !.elr = rest, !.inq = "none",
                                           !.epoch = IF bump(l, set) THEN @ + 1 ELSE @]
         among == IF k.st.leader \in Of(stay) THEN {k.st.leader} ELSE Of(stay)
         outcomes ==
           IF stay # {} THEN {led(l, stay, IF Cardinality(stay) >= MinISR THEN {} ELSE elr \cup away) : l \in among}
           ELSE IF second # {} THEN {led(m[1], {m}, {x \in elr \cup (IF MinISR = 1 THEN {} ELSE {y \in isr : ~MayLack(y)}) : x[1] # m[1]}) : m \in second}
           ELSE {led(NoOne, k.st.isr, elr)}
     IN \E st \in outcomes :
        /\ st # k.st
        /\ k' = Elected(st)
        \* Who lost its end leads all the same where nobody else has a copy: that is Partition.tla's.
        /\ ghost' = IF st.leader \in Of(torn) THEN [ghost EXCEPT !.quiet = @ \cup {<<End(st.leader), 1000, sent>>}] ELSE ghost
  /\ UNCHANGED <<disk, proc, sent, left>>

\* The question is the partition without a leader, in an epoch of its own.
Ask ==
  /\ Controller /\ Inquiry # "none" /\ Inquiry # k.st.inq
  /\ k' = Written([k.st EXCEPT !.inq = Inquiry, !.leader = NoOne, !.epoch = @ + 1])
  /\ UNCHANGED <<disk, proc, ghost, sent, left>>

\* A broker answers once it has heard the question; what it said stays true.
Answers(b) == InLife(b) /\ k.reg[b].on /\ proc[b].view = k.st

Counting(b) == {m \in Sets : m[1] = b}
AllDestroyed(S) == S # {} /\ \A m \in S : Standing(m) = "destroyed"

\* Has everybody told all that was a replica, or counted?
AllTold == (k.st.reps \cup Of(Sets)) \subseteq k.put.told

Awaited(b) ==
  \/ b \in k.st.reps /\
     \/ k.reg[b].on
     \* What others have put back of a member may be older than the state: a late broker has brought that.
     \/ k.st.inq = "restored" /\ k.mem[b] # 0 /\ ((Bug("MembersLeftOut") \/ b \in k.put.here) => ~AllDestroyed(Counting(b)))
     \/ k.st.inq = "destroyed" /\ k.mem[b] # 0
     \/ k.st.inq = "torn" /\ Counting(b) # {} /\ ~AllDestroyed(Counting(b))
  \* A replica that is gone, or does not know all, may have handed its copy on, by states that are known to others alone. Who has been here
  \* in this life has put back what it knows.
  \/ k.st.inq = "restored" /\ ~AllTold /\ k.mem[b] # 0 /\ b \notin k.put.here /\ ~Bug("ReplicasAlone")

Less(a, b) == \* b's copy is fuller than a's
  LET x == Log(a) y == Log(b) IN
  \/ x = <<>> /\ y # <<>>
  \/ x # <<>> /\ y # <<>> /\ (LastEpoch(x) < LastEpoch(y) \/ (LastEpoch(x) = LastEpoch(y) /\ Len(x) < Len(y)))

\* Copies that are destroyed or torn were enough to acknowledge records alone, by a later state than this.
MayHaveGoneOn == \/ Cardinality({m \in Sets : Standing(m) = "destroyed" \/ MayLack(m)}) >= Max({1, MinISR})
                 \/ AllDestroyed(Sets)
AnyDestroyed == \E m \in Sets : Standing(m) = "destroyed"

Name ==
  /\ Controller /\ Inquiry # "none" /\ Inquiry = k.st.inq
  /\ \A b \in Brokers : Awaited(b) => Answers(b)
  /\ \E b \in k.st.reps :
       LET st == k.st
           answering == {c \in st.reps : Answers(c)}
           epoch == Max({st.epoch} \cup (IF Bug("EpochOfTheState") THEN {} ELSE {LastEpoch(Log(c)) : c \in answering})) + 1
           lost == {x \in ghost.shown : ~Covered(x[1]) /\ ~Holds(b, x)}
           from == Min({End(b)} \cup {x[1] : x \in lost})
           level(m) == m[1] \in answering /\ Me(m[1]) = m /\ ~MayLack(m) /\ Len(Log(m[1])) = End(b) /\ LastEpoch(Log(m[1])) = LastEpoch(Log(b))
           resumed == st.inq = "restored" /\ (~MayHaveGoneOn \/ Bug("GoneOnUnnamed"))
           torn == ~resumed /\ st.inq # "destroyed" /\ ~AnyDestroyed
           alone == {Me(b)}
           loss == <<from, st.ceil, sent>>
           next == [st EXCEPT !.inq = "none", !.leader = b, !.epoch = epoch, !.elr = {},
                     !.isr = IF resumed THEN alone \cup {m \in st.isr : level(m)} ELSE alone,
                     !.resume = IF resumed \/ torn THEN @ ELSE st.ceil,
                     !.ceil = IF resumed \/ torn THEN @ ELSE @ + Step]
       IN
       /\ b \in answering
       /\ \A c \in answering : ~Less(b, c)
       /\ k' = [Elected(next) EXCEPT !.led = IF resumed \/ torn THEN @ ELSE @ \cup {loss}]
       /\ ghost' = [ghost EXCEPT
            !.named = IF resumed \/ torn THEN @ ELSE @ \cup {loss},
            !.quiet = IF torn THEN @ \cup {<<from, 1000, sent>>} ELSE @,
            \* With a minimum of one, a copy outside the sets is not waited for after a machine crash (README.md).
            !.wrong = @ \cup (IF \E x \in lost, c \in Brokers : Holds(c, x) /\ ~(st.inq = "torn" /\ MinISR = 1) THEN {"a fuller copy was given up"} ELSE {})]
  /\ UNCHANGED <<disk, proc, sent, left>>

Move(b) ==
  /\ left.move > 0 /\ Controller /\ k.st.inq = "none" /\ k.st.leader \notin {b, NoOne}
  /\ \E m \in k.st.isr : m[1] = b /\ Standing(m) = "live"
  /\ k' = Written([k.st EXCEPT !.leader = b, !.epoch = @ + 1])
  /\ left' = [left EXCEPT !.move = @ - 1]
  /\ UNCHANGED <<disk, proc, ghost, sent>>

\* A reassignment lists a replica first, and takes one away when enough others are in sync.
Bring(b) ==
  /\ left.reassign > 0 /\ Controller /\ k.st.inq = "none" /\ k.st.leader # NoOne /\ b \notin k.st.reps /\ k.reg[b].on
  /\ k' = Written([k.st EXCEPT !.reps = @ \cup {b}])
  /\ left' = [left EXCEPT !.reassign = @ - 1]
  /\ UNCHANGED <<disk, proc, ghost, sent>>

Take(b) ==
  /\ Controller /\ k.st.inq = "none" /\ k.st.leader \notin {NoOne, b} /\ b \in k.st.reps
  /\ Cardinality(k.st.reps) > Copies
  /\ \A c \in k.st.reps \ {b} : \E m \in k.st.isr : m[1] = c
  /\ k' = Written([k.st EXCEPT !.reps = @ \ {b}, !.isr = {m \in @ : m[1] # b}, !.elr = {m \in @ : m[1] # b}])
  /\ UNCHANGED <<disk, proc, ghost, sent, left>>

(***************************************************************************)
(* Brokers come and go. That others find out takes no time here.            *)
(***************************************************************************)
Gone(b) == [k EXCEPT !.reg[b] = NoReg]

Crash(b) ==
  /\ left.crash > 0 /\ proc[b].up
  /\ k' = Gone(b) /\ proc' = [proc EXCEPT ![b] = Off]
  /\ left' = [left EXCEPT !.crash = @ - 1]
  /\ UNCHANGED <<disk, ghost, sent>>

\* The machine dies, or has died: what was not synced of the log and the journals is gone, and nothing need have been.
MachineCrash(b) ==
  /\ left.machine > 0 /\ ~disk[b].torn
  /\ k' = Gone(b) /\ proc' = [proc EXCEPT ![b] = Off]
  /\ \E n \in 0 .. End(b), image \in {disk[b].known, disk[b].sure} :
       disk' = [disk EXCEPT ![b].log = SubSeq(@, 1, n), ![b].torn = TRUE, ![b].known = image, ![b].sure = image, ![b].full = FALSE]
  /\ left' = [left EXCEPT !.machine = @ - 1]
  /\ UNCHANGED <<ghost, sent>>

Wipe(b) ==
  /\ left.wipe > 0
  /\ k' = Gone(b) /\ proc' = [proc EXCEPT ![b] = Off]
  /\ disk' = [disk EXCEPT ![b] = [store |-> @.store + 1, log |-> <<>>, torn |-> FALSE, known |-> Blank, full |-> FALSE, sure |-> Blank]]
  /\ left' = [left EXCEPT !.wipe = @ - 1]
  /\ UNCHANGED <<ghost, sent>>

\* A broker registers in the store kk, and takes over what there is: its journal begins with all of it.
Registered(b, kk, broken) ==
  LET d == disk[b]
      next == [kk EXCEPT !.reg[b] = [on |-> TRUE, torn |-> d.torn, seen |-> ~d.torn], !.mem[b] = d.store,
                         !.rev = IF kk.mem[b] # d.store /\ left.loss > 0 THEN @ + 1 ELSE @, !.put.here = @ \cup {b}]
  IN /\ k' = next
     /\ Assumed(b, kk.st, [d EXCEPT !.known = ImageOf(next), !.full = TRUE, !.sure = ImageOf(next)], proc[b], broken)

Start(b) ==
  /\ ~proc[b].up /\ disk[b].known.life \in {0, k.life} /\ k.put.rev > 0
  /\ Registered(b, k, {})
  /\ UNCHANGED <<sent, left>>

\* broker/torn.go: the cluster has taken in that the end of the log may be missing.
Settle(b) ==
  /\ InLife(b) /\ k.reg[b].on /\ k.reg[b].torn /\ disk[b].torn /\ proc[b].view = k.st
  /\ LET asked == k.st.inq # "none"
         counts == Me(b) \in Sets
         says == asked /\ (counts \/ (b \in k.st.reps /\ ~Bug("TornUnsaid")))
     IN
     /\ counts /\ ~asked => k.reg[b].seen /\ Me(b) \notin k.st.elr
     /\ k' = [k EXCEPT !.reg[b].torn = FALSE, !.said[b] = IF says THEN k.st.epoch ELSE @, !.rev = IF says THEN NextRev ELSE @]
     \* It has heard of its answer.
     /\ disk' = [disk EXCEPT ![b].torn = FALSE, ![b].known.said[b] = IF says /\ left.loss > 0 THEN k.st.epoch ELSE @]
  /\ UNCHANGED <<proc, ghost, sent, left>>

(***************************************************************************)
(* The keepers lose everything, and live again.                             *)
(***************************************************************************)
\* While a broker lives that has heard of everything nothing is in doubt.
Lose ==
  /\ left.loss > 0
  /\ \E lives \in {{}} \cup (IF Survivors THEN {S \in SUBSET {b \in Brokers : InLife(b)} :
                      S # {} /\ (Bug("LivedBehind") \/ \E b \in S : disk[b].known.rev = k.rev)} ELSE {}) :
       proc' = [b \in Brokers |-> IF b \in lives THEN proc[b] ELSE Off]
  /\ k' = [k EXCEPT !.life = @ + 1, !.st = Nothing, !.mem = Blank.mem, !.said = Forgotten, !.led = {},
                    !.reg = [b \in Brokers |-> NoReg], !.put = NotPut, !.on = FALSE]
  /\ left' = [left EXCEPT !.loss = @ - 1]
  /\ UNCHANGED <<disk, ghost, sent>>

\* Those who know another life, and have to say so.
Knows(b) == disk[b].known.life \notin {0, k.life}
HasLived(b) == proc[b].up /\ Knows(b)

\* What a broker knows is all that it has acted on.
Full(b) == HasLived(b) \/ Bug("TornIsComplete") \/ (disk[b].full /\ ~disk[b].torn)

InDoubt(st, told) ==
  /\ Bug("DestroyedIsCertain") => st.inq \in {"none", "torn"}
  /\ ~((st.reps \cup Of(st.isr \cup st.elr)) \subseteq told)

EpochsLeft == IF Bug("EpochsNotLeft") THEN 0 ELSE Left
Inquired(st) ==
  [st EXCEPT !.inq = "restored", !.leader = NoOne, !.pe = @ + 1,
             !.epoch = IF st.inq = "none" \/ ~Bug("EpochsOfQuestions") THEN @ + EpochsLeft ELSE @,
             !.ceil = IF Bug("CeilingKnown") THEN @ ELSE @ + Left]

Later(a, b) == a.epoch > b.epoch \/ (a.epoch = b.epoch /\ a.pe > b.pe)

\* Some have said how far they are, and one of them puts back what it knows: the furthest, unless that takes too long.
PutBack(b) ==
  /\ Knows(b) /\ k.put.rev = 0
  \* Those that have lived on are there at once.
  /\ \E bids \in {S \in SUBSET {c \in Brokers : Knows(c)} : b \in S /\ (Bug("LivedSilent") \/ \A c \in Brokers : HasLived(c) => c \in S)} :
       LET image == disk[b].known
           told == {c \in bids : Full(c) /\ disk[c].known.life = image.life /\ disk[c].known.rev <= image.rev}
           lived == \E c \in bids : HasLived(c)
           certain == lived /\ (Bug("LivedIsEnough") \/ \A c \in bids : disk[c].known.rev <= image.rev)
           st == IF ~certain /\ ~Bug("NoDoubts") /\ InDoubt(image.st, told) THEN Inquired(image.st) ELSE image.st
       IN k' = [k EXCEPT !.st = st, !.rev = IF left.loss = 0 THEN @ ELSE Max({@, image.rev}) + 1,
                         !.mem = image.mem, !.said = image.said, !.led = image.led,
                         !.put = [rev |-> image.rev, of |-> image.life, lived |-> lived, told |-> told, here |-> {}]]
  /\ UNCHANGED <<disk, proc, ghost, sent, left>>

\* One that comes late: partition() in metadata/restore_write.go.
Replaced(known) ==
  LET st == k.st
      before == [st EXCEPT !.epoch = @ - EpochsLeft, !.pe = @ - 1]
      next == Inquired(known)
  IN IF st.inq = "restored"
     THEN IF Later(known, before) THEN [next EXCEPT !.epoch = Max({@, st.epoch}), !.pe = Max({@, st.pe}), !.ceil = Max({@, st.ceil})] ELSE st
     ELSE IF k.on /\ ~Bug("LateUndoes") THEN st
     ELSE IF Later(known, st) THEN known ELSE st

\* A broker of the life before comes, when that has been put back: it adds what it knows, and registers.
Return(b) ==
  /\ Knows(b) /\ k.put.rev > 0
  /\ LET image == disk[b].known
         newer == image.rev > k.put.rev /\ (image.life = k.put.of \/ ~Bug("OtherLives"))
         st == IF newer THEN Replaced(image.st) ELSE k.st
         mem == [c \in Brokers |-> IF newer /\ ~Bug("MembersLeftOut") /\ k.mem[c] = 0 THEN image.mem[c] ELSE k.mem[c]]
         led == IF newer /\ ~Bug("LossesLeftOut") THEN k.led \cup image.led ELSE k.led
         said == IF newer THEN [c \in Brokers |-> Max({k.said[c], image.said[c]})] ELSE k.said
         next == [k EXCEPT !.st = st, !.mem = mem, !.led = led, !.said = said, !.on = @ \/ st # k.st,
                           !.rev = IF <<st, mem, led, said>> = <<k.st, k.mem, k.led, k.said>> THEN @ ELSE NextRev,
                           !.put.told = IF Full(b) THEN @ \cup {b} ELSE @, !.put.lived = @ \/ HasLived(b)]
     IN Registered(b, next, IF image.led \subseteq led THEN {} ELSE {"a named loss is forgotten"})
  /\ UNCHANGED <<sent, left>>

Next ==
  \/ \E b \in Brokers : \/ Produce(b) \/ RaiseCeiling(b) \/ Hear(b) \/ Write(b) \/ Move(b) \/ Bring(b) \/ Take(b)
                       \/ Crash(b) \/ MachineCrash(b) \/ Wipe(b) \/ Start(b) \/ Settle(b)
                       \/ PutBack(b) \/ Return(b)
  \/ \E f, l \in Brokers : Fetch(f, l) \/ Join(l, f)
  \/ \E l \in Brokers : \E m \in k.st.isr : Shrink(l, m)
  \/ Elect \/ Ask \/ Name \/ Lose

Spec == Init /\ [][Next]_vars

(***************************************************************************)
(* The promises.                                                            *)
(***************************************************************************)
\* Who leads has every record that was ever shown, but for losses that are named.
LeaderHasAll ==
  \A b \in Brokers : Acting(b) /\ InLife(b) /\ proc[b].view.epoch = k.st.epoch
    => \A x \in ghost.shown : Covered(x[1]) \/ Holds(b, x)

\* No offset shows two records. In a range that is named it may, where both are of before: the end of the copy that is left
\* is what nobody had been shown, and others had been given its offsets.
NoReuse ==
  \A x, y \in ghost.shown : x[1] = y[1] =>
    \/ x[2] = y[2]
    \/ \E r \in ghost.quiet : r[1] <= x[1] /\ x[1] < r[2]
    \/ \E r \in ghost.named : r[1] <= x[1] /\ x[1] < r[2] /\ x[2] <= r[3] /\ y[2] <= r[3]

\* No leader epoch is led by two.
OneLeader == \A x, y \in ghost.acted : x[1] = y[1] => x = y

\* The same epoch and offset are the same record, on every store.
LogsMatch ==
  \A b, c \in Brokers : \A i \in 1 .. Min({End(b), End(c)}) : Log(b)[i].e = Log(c)[i].e => Log(b)[i].v = Log(c)[i].v

StepsKept == ghost.wrong = {}

InScope == k.st.epoch % Left <= MaxEpoch + (IF k.life > 1 THEN 2 ELSE 0)
Symmetric == Permutations(Brokers)
=============================================================================
