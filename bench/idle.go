package main

import "time"

// measureIdle is what a broker costs that nobody uses.
func measureIdle(s system) (figures, error) {
	n, err := ready(s, 1)
	if err != nil {
		return nil, err
	}
	defer n.close()
	return idleFigures(n.pid())
}

func idleFigures(pids ...int) (figures, error) {
	time.Sleep(settleFor)
	before, err := cpuTime(pids...)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	time.Sleep(scaledTime(idleFor))
	after, err := cpuTime(pids...)
	if err != nil {
		return nil, err
	}
	took := time.Since(begun)
	resident, err := residentMiB(pids...)
	return figures{
		"idle CPU, % of a core": 100 * (after - before).Seconds() / took.Seconds(),
		"resident, MiB":         resident,
	}, err
}
