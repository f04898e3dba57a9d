package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resetPlan is where the offsets of groups are to go.
type resetPlan map[string]partitionOffsets

func (o *groupsOptions) runReset(ctx context.Context, env *Env, c *client) error {
	ids, err := o.groupIDs(ctx, c)
	if err != nil {
		return err
	}
	plan := resetPlan{}
	for _, id := range ids {
		state, err := c.groupState(ctx, id)
		if err != nil {
			return err
		}
		if state != "Empty" && state != "Dead" {
			env.printError("Assignments can only be reset if the group '%s' is inactive, but the current "+
				"state is %s.", id, state)
			plan[id] = nil
			continue
		}
		offsets, err := o.planReset(ctx, env, c, id)
		if err != nil {
			return err
		}
		if o.execute.Set() {
			if err := c.commitOffsets(ctx, id, offsets); err != nil {
				return err
			}
		}
		plan[id] = offsets
	}
	if o.export.Set() {
		env.printf("%s\n", plan.csv(len(ids) == 1 && !o.allGroups.Set()))
		return nil
	}
	plan.print(env)
	return nil
}

// groupState is the state of a group; one that does not exist yet is Dead, and may be given
// offsets.
func (c *client) groupState(ctx context.Context, id string) (string, error) {
	groups, err := c.listGroups(ctx, nil, nil)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(groups, func(g groupListing) bool { return g.Group == id })
	if i < 0 {
		return "Dead", nil
	}
	return groups[i].State, nil
}

// scope is what partitions of the group are to be reset.
func (o *groupsOptions) scope(ctx context.Context, c *client, group string) ([]partitionName, error) {
	switch {
	case o.allTopics.Set():
		committed, err := c.committedOffsets(ctx, group)
		if err != nil {
			return nil, err
		}
		return namesOf(committed), nil
	case o.topic.Set():
		return o.topicScope(ctx, c)
	case o.fromFile.Set():
		return nil, nil
	}
	return nil, o.p.Usagef("One of the reset scopes should be defined: --all-topics, --topic.")
}

// planReset computes the new offsets of one group.
func (o *groupsOptions) planReset(ctx context.Context, env *Env, c *client, group string) (partitionOffsets, error) {
	names, err := o.scope(ctx, c, group)
	if err != nil {
		return nil, err
	}
	switch {
	case o.toOffset.Set():
		wanted := partitionOffsets{}
		for _, name := range names {
			wanted[name] = o.toOffset.Must()
		}
		return c.clamp(ctx, env, wanted)
	case o.toEarliest.Set():
		return c.offsetsAt(ctx, names, earliestTimestamp, "starting")
	case o.toLatest.Set():
		return c.offsetsAt(ctx, names, latestTimestamp, "ending")
	case o.shiftBy.Set():
		return o.planShift(ctx, env, c, group, names)
	case o.toDatetime.Set():
		at, err := parseDatetime(o.toDatetime.Must())
		if err != nil {
			return nil, err
		}
		return c.offsetsAfter(ctx, env, names, at)
	case o.byDuration.Set():
		age, err := parseDuration(o.byDuration.Must())
		if err != nil {
			return nil, err
		}
		return c.offsetsAfter(ctx, env, names, time.Now().Add(-age))
	case o.fromFile.Set():
		return o.planFromFile(ctx, env, c, group)
	case o.toCurrent.Set():
		return c.currentOffsets(ctx, group, names)
	}
	return nil, o.p.Usagef("Option '[reset-offsets]' requires one of the following scenarios: " +
		"[[to-offset], [shift-by], [to-datetime], [by-duration], [to-earliest], [to-latest], " +
		"[to-current], [from-file]]")
}

func (o *groupsOptions) planShift(ctx context.Context, env *Env, c *client, group string, names []partitionName) (partitionOffsets, error) {
	committed, err := c.committedOffsets(ctx, group)
	if err != nil {
		return nil, err
	}
	wanted := partitionOffsets{}
	for _, name := range names {
		current, ok := committed[name]
		if !ok {
			return nil, o.p.Usagef("Cannot shift offset for partition %s-%d since there is no current "+
				"committed offset",
				name.topic, name.partition)
		}
		wanted[name] = current.offset + o.shiftBy.Must()
	}
	return c.clamp(ctx, env, wanted)
}

// offsetsAt finds the ends of logs; every partition has to answer.
func (c *client) offsetsAt(ctx context.Context, names []partitionName, timestamp int64, which string) (partitionOffsets, error) {
	found, err := c.listOffsets(ctx, names, timestamp)
	if err != nil {
		return nil, err
	}
	offsets := partitionOffsets{}
	for _, name := range names {
		at, ok := found[name]
		if !ok || at.err != nil {
			return nil, fmt.Errorf("Error getting %s offset of topic partition: %s-%d", which, name.topic,
				name.partition)
		}
		offsets[name] = at.offset
	}
	return offsets, nil
}

// offsetsAfter finds the first record from a time on; after the last one it is the log's end.
func (c *client) offsetsAfter(ctx context.Context, env *Env, names []partitionName, at time.Time) (partitionOffsets, error) {
	offsets, err := c.offsetsAt(ctx, names, at.UnixMilli(), "by timestamp")
	if err != nil {
		return nil, err
	}
	var late []partitionName
	for _, name := range names {
		if offsets[name] < 0 {
			late = append(late, name)
			env.printf("\nWarn: Partition %d from topic %s is empty. Falling back to latest known offset.\n",
				name.partition, name.topic)
		}
	}
	ends, err := c.offsetsAt(ctx, late, latestTimestamp, "ending")
	for name, offset := range ends {
		offsets[name] = offset
	}
	return offsets, err
}

// currentOffsets are the committed offsets, and the log's end where there is none.
func (c *client) currentOffsets(ctx context.Context, group string, names []partitionName) (partitionOffsets, error) {
	committed, err := c.committedOffsets(ctx, group)
	if err != nil {
		return nil, err
	}
	offsets := partitionOffsets{}
	var without []partitionName
	for _, name := range names {
		if at, ok := committed[name]; ok {
			offsets[name] = at.offset
		} else {
			without = append(without, name)
		}
	}
	ends, err := c.offsetsAt(ctx, without, latestTimestamp, "ending")
	for name, offset := range ends {
		offsets[name] = offset
	}
	return offsets, err
}

// clamp moves wanted offsets into the log, with a warning for each that lay outside.
func (c *client) clamp(ctx context.Context, env *Env, wanted partitionOffsets) (partitionOffsets, error) {
	names := namesOf(wanted)
	starts, err := c.offsetsAt(ctx, names, earliestTimestamp, "starting")
	if err != nil {
		return nil, err
	}
	ends, err := c.offsetsAt(ctx, names, latestTimestamp, "ending")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		bounded, word := wanted[name], ""
		switch {
		case bounded > ends[name]:
			bounded, word = ends[name], "higher than latest"
		case bounded < starts[name]:
			bounded, word = starts[name], "lower than earliest"
		}
		if word != "" {
			env.warnf("WARN New offset (%d) is %s offset for topic partition %s-%d. Value will be set to "+
				"%d\n",
				wanted[name], word, name.topic, name.partition, bounded)
		}
		wanted[name] = bounded
	}
	return wanted, nil
}

func (plan resetPlan) each(f func(group string, name partitionName, offset int64)) {
	for _, group := range slices.Sorted(maps.Keys(plan)) {
		for _, name := range namesOf(plan[group]) {
			f(group, name, plan[group][name])
		}
	}
}

// csv is what --from-file reads back.
func (plan resetPlan) csv(single bool) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	plan.each(func(group string, name partitionName, offset int64) {
		fields := []string{name.topic, strconv.Itoa(int(name.partition)), strconv.FormatInt(offset, 10)}
		if !single {
			fields = append([]string{group}, fields...)
		}
		_ = w.Write(fields) // a strings.Builder takes everything
	})
	w.Flush()
	return b.String()
}

func (plan resetPlan) print(env *Env) {
	group, topic := 15, 15
	plan.each(func(g string, name partitionName, _ int64) {
		group, topic = max(group, len(g)), max(topic, len(name.topic))
	})
	if len(plan) > 0 {
		env.printf("\n%-*s %-*s %-10s %s", group, "GROUP", topic, "TOPIC", "PARTITION", "NEW-OFFSET")
	}
	plan.each(func(g string, name partitionName, offset int64) {
		env.printf("\n%-*s %-*s %-10d %d", group, g, topic, name.topic, name.partition, offset)
	})
	env.printf("\n")
}
