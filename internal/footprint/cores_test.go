package footprint

import (
	"runtime"
	"testing"
)

func TestCores(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	c := NewCores()
	one, changes := false, 0
	c.down = func() { one, changes = true, changes+1 }
	c.up = func() { one, changes = false, changes+1 }
	rest := func() {
		t.Helper()
		for range quietLooks - 1 {
			c.Look(true)
			if one {
				t.Fatal("one core after a short rest")
			}
		}
		c.Look(true)
		c.Look(true)
		if !one {
			t.Fatal("all cores after a long rest")
		}
	}
	woken := func() bool {
		select {
		case <-c.Woken():
			c.Work()
			return true
		default:
			return false
		}
	}

	c.Heard()
	if woken() {
		t.Error("woken before the first look")
	}
	c.Look(true) // which finds that something was heard before it
	rest()
	if woken() {
		t.Error("woken by nobody")
	}
	c.Heard()
	c.Heard()
	if !woken() || one || woken() {
		t.Error("work has to wake it, once")
	}
	c.Look(true)
	rest()
	if c.Look(false); one {
		t.Error("one core while much is done unasked")
	}
	c.Heard() // between looks, and the look comes first
	c.Look(true)
	if one {
		t.Error("one core with work")
	}
	if !woken() {
		t.Error("who looks was not woken")
	}
	if changes != 4 {
		t.Errorf("%d changes", changes)
	}
	(*Cores)(nil).Heard()
}

// What is done for a rest is undone after it.
func TestCoresOfThisProcess(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	before := runtime.GOMAXPROCS(0)
	if before == 1 {
		runtime.GOMAXPROCS(2)
		defer runtime.GOMAXPROCS(1)
	}
	defer runtime.SetDefaultGOMAXPROCS()
	c := NewCores()
	for range quietLooks + 1 {
		c.Look(true)
	}
	if n := runtime.GOMAXPROCS(0); n != 1 {
		t.Errorf("%d cores at rest", n)
	}
	c.Work()
	if n := runtime.GOMAXPROCS(0); n != min(runtime.NumCPU(), n) || runtime.NumCPU() > 1 && n == 1 {
		t.Errorf("%d cores with work, of %d", n, runtime.NumCPU())
	}
	t.Setenv("GOMAXPROCS", "2")
	c = NewCores()
	for range quietLooks + 1 {
		c.Look(true)
	}
	if n := runtime.GOMAXPROCS(0); n == 1 && runtime.NumCPU() > 1 {
		t.Error("what GOMAXPROCS says is not kept")
	}
}
