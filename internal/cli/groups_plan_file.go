package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// planFromFile is what --from-file says of a group.
func (o *groupsOptions) planFromFile(ctx context.Context, env *Env, c *client, group string) (partitionOffsets, error) {
	data, err := readFile(o.fromFile.Must())
	if err != nil {
		return nil, &javaError{"java.io.IOException", err.Error()}
	}
	single := ""
	if len(o.group.Values()) == 1 {
		single = o.group.Must()
	}
	plan, err := readPlan(bytes.NewReader(data), single)
	switch {
	case errors.Is(err, errNegativeOffset):
		return nil, o.p.Usagef("%v", err)
	case err != nil:
		return nil, err
	}
	wanted, ok := plan[group]
	if !ok {
		env.printError("No reset plan for group %s found", group)
		return nil, nil
	}
	if err := c.checkPlan(ctx, wanted); err != nil {
		return nil, err
	}
	return c.clamp(ctx, env, wanted)
}

// checkPlan says which of the partitions of a plan does not exist.
func (c *client) checkPlan(ctx context.Context, wanted partitionOffsets) error {
	names := namesOf(wanted)
	var topics []string
	for _, name := range names {
		topics = append(topics, name.topic)
	}
	leaders, err := c.leadersOf(ctx, topics)
	if err != nil {
		return err
	}
	var words []topicWord
	for _, name := range names {
		if _, ok := leaders[partitionName{name.topic, 0}]; !ok {
			return &javaError{"java.util.concurrent.ExecutionException", fmt.Sprintf("org.apache.kafka.common.errors."+
				"UnknownTopicOrPartitionException: Failed to fetch metadata for partition %s because metadata for topic `%s` "+
				"could not be found", name, name.topic)}
		}
		words = append(words, topicWord{name.topic, []int32{name.partition}})
	}
	_, err = toReset(words, leaders)
	return err
}

// The exceptions that Kafka's tool names for a file that is not as it should be.
const (
	emptyFile   = "com.fasterxml.jackson.databind.exc.MismatchedInputException"
	tooMany     = "com.fasterxml.jackson.dataformat.csv.CsvReadException"
	notANumber  = "com.fasterxml.jackson.databind.exc.InvalidFormatException"
	planColumns = 4
)

var errNegativeOffset = sayf("Invalid negative offset")

// readPlan reads CSV lines of group,topic,partition,offset, or of topic,partition,offset when there is a single group. A line
// that lacks something is refused, where Kafka's tool takes partition 0, or offset 0, for what is not there.
func readPlan(r io.Reader, single string) (resetPlan, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = -1
	lines.TrimLeadingSpace = true
	plan := resetPlan{}
	for {
		fields, err := lines.Read()
		switch {
		case err == io.EOF && len(plan) == 0:
			return nil, &javaError{emptyFile, "No content to map due to end-of-input"}
		case err == io.EOF:
			return plan, nil
		case err != nil:
			return nil, err
		}
		at, _ := lines.FieldPos(0)
		if len(fields) > planColumns {
			extra := fields[planColumns]
			return nil, &javaError{tooMany, fmt.Sprintf("Too many entries: expected at most %d (value #%[1]d (%d chars) %q), line %d",
				planColumns, len(extra), extra, at)}
		}
		if len(fields) == planColumns-1 && single != "" {
			fields = append([]string{single}, fields...)
		}
		if len(fields) != planColumns {
			return nil, fmt.Errorf("line %d: want group,topic,partition,offset", at)
		}
		partition, err := planNumber(fields[2], "int", 32, at)
		if err != nil {
			return nil, err
		}
		offset, err := planNumber(fields[3], "long", 64, at)
		if err != nil {
			return nil, err
		}
		if offset < 0 {
			return nil, fmt.Errorf("%w, line %d", errNegativeOffset, at)
		}
		if plan[fields[0]] == nil {
			plan[fields[0]] = partitionOffsets{}
		}
		plan[fields[0]][partitionName{fields[1], int32(partition)}] = offset
	}
}

func planNumber(text, kind string, bits, line int) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, bits)
	if err != nil {
		return 0, &javaError{notANumber, fmt.Sprintf("Cannot deserialize value of type `%s` from String %q: not a valid `%[1]s` "+
			"value, line %[3]d", kind, text, line)}
	}
	return n, nil
}
