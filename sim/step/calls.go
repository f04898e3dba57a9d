package step

import "time"

// What a member does in its own time, and what it asks of coordinators.

// here does something in this life of the member, once it is not frozen.
func (mb *member) here(d time.Duration, what string, do func()) {
	life := mb.life
	var try func()
	try = func() {
		switch {
		case !mb.up || mb.life != life:
		case mb.frozen > mb.now:
			mb.after(mb.frozen-mb.now, what, try)
		default:
			do()
		}
	}
	mb.after(d, what, try)
}

// find looks who the coordinator is: whom the cluster says, or now and then somebody else.
func (mb *member) find() *machine {
	if mb.broker == nil {
		mb.broker = mb.leader()
		if mb.oneIn(12) && !mb.calm() {
			mb.broker = mb.machines[mb.rng.IntN(len(mb.machines))]
		}
	}
	return mb.broker
}

// air has bytes between a client and a broker arrive, unless they are lost.
func (w *world) air(what string, arrive func()) {
	d := w.between(50*time.Microsecond, 1500*time.Microsecond)
	if !w.calm() {
		if w.oneIn(50) {
			return
		}
		if w.oneIn(40) {
			d += w.between(0, 80*time.Millisecond)
		}
	}
	w.after(d, what, arrive)
}

// call sends a request to the coordinator, where ask carries it out and has the answer sent by calling reply with what the member does
// on hearing it. Otherwise is done where no answer comes in time: the request may come to be carried out all the same, later
// than what is asked then.
func (mb *member) call(what string, patience time.Duration, ask func(m *machine, reply func(hear func())), otherwise func()) {
	m := mb.find()
	if m == nil {
		mb.here(mb.between(2*time.Millisecond, 10*time.Millisecond), what+" finds nobody", otherwise)
		return
	}
	if mb.oneIn(20) && !mb.calm() {
		patience = mb.between(time.Millisecond, 15*time.Millisecond)
	}
	life, over := mb.life, false
	once := func(do func()) func() {
		return func() {
			if !over {
				over = true
				do()
			}
		}
	}
	reply := func(brokerLife int) func(func()) {
		return func(hear func()) {
			mb.air(what+"'s answer", func() {
				if mb.life == life && m.up && m.life == brokerLife {
					mb.here(0, what+"'s answer", once(hear))
				}
			})
		}
	}
	mb.air(what, func() {
		if m.up && m.groups != nil {
			brokerLife := m.life
			m.here(0, what, func() { ask(m, reply(brokerLife)) })
		}
	})
	mb.here(patience, what+" is not answered", once(func() {
		mb.broker = nil
		otherwise()
	}))
}

// phase begins a phase, and has only its own answers heard.
func (mb *member) phase() (current func(func()) func()) {
	mb.number++
	mb.steady = false
	number := mb.number
	return func(do func()) func() {
		return func() {
			if mb.number == number {
				do()
			}
		}
	}
}
