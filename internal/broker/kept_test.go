package broker

import (
	"path/filepath"
	"testing"
	"time"
)

func TestOutlives(t *testing.T) {
	for _, c := range []struct {
		name   string
		before *residence
		place  string
		want   bool
	}{
		{"an empty directory of a process", nil, "", false},
		{"a directory that a process finds again", &residence{}, "", true},
		{"an empty directory of a pod", nil, "ns/kafka-0/u1", false},
		{"a container is started again in its pod", &residence{Place: "ns/kafka-0/u1"}, "ns/kafka-0/u1", false},
		{"another pod of that name finds it", &residence{Place: "ns/kafka-0/u1"}, "ns/kafka-0/u2", true},
		{"it has been proven before", &residence{Place: "ns/kafka-0/u2", Kept: true}, "ns/kafka-0/u2", true},
	} {
		if got := outlives(c.before, c.place); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestResidenceIsWrittenAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), residenceFile)
	if readResidence(path) != nil {
		t.Error("something was read where nothing is")
	}
	for _, r := range []residence{{residenceVersion, "a", false}, {residenceVersion, "a", true}} {
		if err := r.write(path); err != nil {
			t.Fatal(err)
		}
		if got := readResidence(path); got == nil || *got != r {
			t.Errorf("read %+v", got)
		}
	}
}

func TestHowLongToWait(t *testing.T) {
	busy := departure{led: 1}
	received := departure{led: 1, received: true}
	soon, long := time.Second, keptFor+time.Second
	for _, c := range []struct {
		name string
		wait leaveWait
		want bool
	}{
		{"others take over", leaveWait{departure: received, waited: long}, false},
		{"nobody is there, and somebody may come", leaveWait{departure: busy, alone: soon, waited: soon}, false},
		{"nobody is there, and nobody came", leaveWait{departure: busy, alone: aloneFor + soon, waited: aloneFor + soon}, true},
		{"nobody is there, and nothing is lost by going", leaveWait{departure: busy, alone: soon, waited: soon, kept: true}, true},
		{"others take over what is kept here too", leaveWait{departure: received, waited: soon, kept: true}, false},
		{"they take their time, and it is kept here", leaveWait{departure: received, waited: long, kept: true}, true},
	} {
		if got := c.wait.over(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
