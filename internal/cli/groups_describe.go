package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const missingColumn = "-"

// offsetRow is a line of --describe: a partition, or a member without one. Missing is "-".
type offsetRow struct {
	Group      string `json:"group"`
	Topic      string `json:"topic"`
	Partition  *int32 `json:"partition"`
	Epoch      *int32 `json:"leaderEpoch,omitempty"`
	Current    *int64 `json:"currentOffset"`
	End        *int64 `json:"logEndOffset"`
	Lag        *int64 `json:"lag"`
	ConsumerID string `json:"consumerId"`
	Host       string `json:"host"`
	ClientID   string `json:"clientId"`
}

func (o *groupsOptions) runDescribe(ctx context.Context, env *Env, c *client) error {
	ids, err := o.groupIDs(ctx, c)
	if err != nil {
		return err
	}
	slices.Sort(ids)
	groups, err := c.describeGroups(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	for _, group := range groups {
		switch {
		case o.members.Set():
			if env.announce(group, 1) {
				printMembers(env, group, o.verbose.Set())
			}
		case o.state.Set():
			if env.announce(group, 1) {
				printState(env, group, o.verbose.Set())
			}
		default:
			rows, err := c.offsetRows(ctx, group)
			if err != nil {
				return err
			}
			if env.announce(group, len(rows)) {
				printOffsetRows(env, rows, o.verbose.Set())
			}
		}
	}
	return nil
}

// announce says what is special about the group's state and whether there is anything to show.
func (env *Env) announce(group groupDescription, rows int) bool {
	switch strings.ToUpper(group.State) {
	case "DEAD":
		env.printError("Consumer group '%s' does not exist.", group.Group)
		return false
	case "EMPTY":
		env.warnf("\nConsumer group '%s' has no active members.\n", group.Group)
	case "PREPARINGREBALANCE", "COMPLETINGREBALANCE", "ASSIGNING", "RECONCILING":
		env.warnf("\nWarning: Consumer group '%s' is rebalancing.\n", group.Group)
	}
	return rows > 0
}

// offsetRows joins a group's members and committed offsets with the ends of the logs: partitions
// that have a consumer first, by the consumer with the most of them.
func (c *client) offsetRows(ctx context.Context, group groupDescription) ([]offsetRow, error) {
	committed, err := c.committedOffsets(ctx, group.Group)
	if err != nil {
		return nil, err
	}
	members := slices.Clone(group.Members)
	slices.SortStableFunc(members, func(a, b groupMember) int { return len(b.partitions()) - len(a.partitions()) })
	var all []partitionName
	assigned := map[partitionName]bool{}
	for _, m := range members {
		for _, name := range m.partitions() {
			assigned[name] = true
			all = append(all, name)
		}
	}
	var unassigned []partitionName
	for name := range committed {
		if !assigned[name] {
			unassigned = append(unassigned, name)
		}
	}
	sortNames(unassigned)
	ends, err := c.listOffsets(ctx, append(all, unassigned...), latestTimestamp)
	if err != nil {
		return nil, err
	}
	var rows []offsetRow
	for _, m := range members {
		for _, name := range m.partitions() {
			rows = append(rows, toOffsetRow(group.Group, name, committed, ends, m))
		}
	}
	nobody := groupMember{ID: missingColumn, Host: missingColumn, ClientID: missingColumn}
	for _, name := range unassigned {
		rows = append(rows, toOffsetRow(group.Group, name, committed, ends, nobody))
	}
	return rows, nil
}

func toOffsetRow(group string, name partitionName, committed committedOffsets, ends foundOffsets, m groupMember) offsetRow {
	row := offsetRow{
		Group: group, Topic: name.topic, Partition: &name.partition,
		ConsumerID: m.ID, Host: m.Host, ClientID: m.ClientID,
	}
	if at, ok := committed[name]; ok {
		row.Current = &at.offset
		if at.leaderEpoch >= 0 {
			row.Epoch = &at.leaderEpoch
		}
	}
	if end, ok := ends[name]; ok && end.err == nil {
		row.End = &end.offset
		if row.Current != nil {
			lag := end.offset - *row.Current
			row.Lag = &lag
		}
	}
	return row
}

func orDash[N int32 | int64](n *N) string {
	if n == nil {
		return missingColumn
	}
	return strconv.FormatInt(int64(*n), 10)
}

func printOffsetRows(env *Env, rows []offsetRow, verbose bool) {
	group, topic, consumer, host := 15, 15, 15, 15
	for _, r := range rows {
		group, topic = max(group, len(r.Group)), max(topic, len(r.Topic))
		consumer, host = max(consumer, len(r.ConsumerID)), max(host, len(r.Host))
	}
	line := func(g, t, p, epoch, current, end, lag, id, h, client string) {
		if verbose {
			epoch = fmt.Sprintf("%-15s ", epoch)
		} else {
			epoch = ""
		}
		env.printf("\n%-*s %-*s %-10s %s%-15s %-15s %-15s %-*s %-*s %s",
			group, g, topic, t, p, epoch, current, end, lag, consumer, id, host, h, client)
	}
	line("GROUP", "TOPIC", "PARTITION", "LEADER-EPOCH", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID")
	for _, r := range rows {
		line(r.Group, r.Topic, orDash(r.Partition), orDash(r.Epoch), orDash(r.Current), orDash(r.End), orDash(r.Lag),
			r.ConsumerID, r.Host, r.ClientID)
	}
	env.printf("\n")
}

func printMembers(env *Env, group groupDescription, verbose bool) {
	groupWidth, consumer, instance, host, client, assigned, target := max(15, len(group.Group)), 15, 17, 15, 15, 20, 20
	hasInstance := false
	for _, m := range group.Members {
		consumer, instance = max(consumer, len(m.ID)), max(instance, len(m.InstanceID))
		host, client = max(host, len(m.Host)), max(client, len(m.ClientID))
		assigned, target = max(assigned, len(assignmentText(m.Assigned))), max(target,
			len(assignmentText(m.Target)))
		hasInstance = hasInstance || m.InstanceID != ""
	}
	line := func(g, id, inst, h, cl, n, epoch, current, targetEpoch, targetText string) {
		if hasInstance {
			inst = fmt.Sprintf("%-*s ", instance, inst)
		} else {
			inst = ""
		}
		env.printf("\n%-*s %-*s %s%-*s %-*s %-15s ", groupWidth, g, consumer, id, inst, host, h, client,
			cl, n)
		if verbose {
			env.printf("%-15s %-*s %-15s %-*s", epoch, assigned, current, targetEpoch, target, targetText)
		}
	}
	line("GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS",
		"CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT")
	for _, m := range group.Members {
		targetEpoch, targetText := missingColumn, missingColumn
		if m.Epoch != nil {
			targetEpoch, targetText = orDash(group.TargetEpoch), assignmentText(m.Target)
		}
		line(group.Group, m.ID, m.InstanceID, m.Host, m.ClientID, strconv.Itoa(len(m.partitions())),
			orDash(m.Epoch), assignmentText(m.Assigned), targetEpoch, targetText)
	}
	env.printf("\n")
}

// assignmentText is a:0,1;b:2.
func assignmentText(topics []topicPartitions) string {
	words := make([]string, len(topics))
	for i, t := range topics {
		words[i] = t.Topic + ":" + joinIDs(t.Partitions)
	}
	if len(words) == 0 {
		return missingColumn
	}
	return strings.Join(words, ";")
}

func printState(env *Env, group groupDescription, verbose bool) {
	coordinator := fmt.Sprintf("%s:%d  (%d)", group.Coordinator.Host, group.Coordinator.Port,
		group.Coordinator.ID)
	groupWidth, width := max(15, len(group.Group)), max(25, len(coordinator))
	line := func(g, c, strategy, state, epoch, target, members string) {
		extra := ""
		if verbose {
			extra = fmt.Sprintf("%-15s %-25s ", epoch, target)
		}
		env.printf("\n%-*s %-*s %-20s %-20s %s%s", groupWidth, g, width, c, strategy, state, extra,
			members)
	}
	line("GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH", "#MEMBERS")
	strategy := cmp.Or(group.Assignor, missingColumn)
	line(group.Group, coordinator, strategy, group.State, orDash(group.Epoch), orDash(group.TargetEpoch), strconv.Itoa(len(group.Members)))
	env.printf("\n")
}
