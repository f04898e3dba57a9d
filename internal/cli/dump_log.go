package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"barnabas/internal/cli/jopt"
	"barnabas/internal/record"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// dump is one run of kafka-dump-log. It reads files that no broker need have open; of one that a
// broker appends to it shows what is there.
type dump struct {
	env *Env
	fs  vfs.FS
	out *bufio.Writer

	deep          bool // show records too
	contents      bool // with their keys and values
	skipMetadata  bool
	sanityOnly    bool
	verifyOnly    bool
	maxBytes      int64
	maxMessage    int
	decode        recordDecoder
	decompressor  record.Decompressor
	mismatches    findings // offset index
	gaps          findings // offsets that are not consecutive
	timestamps    findings // time index: timestamps that are not the log's
	disorder      findings // time index: timestamps that go back
	offsetsWanted findings // time index: offsets that are not in the log
}

// findings are what is wrong with files, by the file's path, in the order of discovery.
type findings struct {
	paths []string
	pairs map[string][][2]int64
}

func (f *findings) add(path string, a, b int64) {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if f.pairs == nil {
		f.pairs = map[string][][2]int64{}
	}
	if _, known := f.pairs[path]; !known {
		f.paths = append(f.paths, path)
	}
	f.pairs[path] = append(f.pairs[path], [2]int64{a, b})
}

// print prints the findings: a title that a path completes, and a line for each pair.
func (f *findings) print(env *Env, title, line string) {
	for _, path := range f.paths {
		env.warnf("%s%s\n", title, path)
		for _, pair := range f.pairs[path] {
			env.warnf(line+"\n", pair[0], pair[1])
		}
	}
}

type dumpOptions struct {
	p                                                    *jopt.Parser
	files, valueDecoder, keyDecoder                      *jopt.Text
	maxMessage, maxBytes                                 *jopt.Int
	printData, deep, verify, sanity, skipMetadata        *jopt.Flag
	offsets, transactions, cluster, remote, shareDecoder *jopt.Flag
}

func newDumpOptions() *dumpOptions {
	p := jopt.New("This tool shows what is in the files of a log, and finds what is wrong with them.")
	o := &dumpOptions{p: p}
	o.files = p.Text("files", "file1, file2, ...", "REQUIRED: The files to show, with commas between: .log, .index, .timeindex, .txnindex, .snapshot.")
	o.printData = p.Flag("print-data-log", "Show keys and values too. Every decoder implies it.")
	o.deep = p.Flag("deep-iteration", "Show the records of each batch. --print-data-log implies it.")
	o.verify = p.Flag("verify-index-only", "Compare indexes with the log and show no entries.")
	o.sanity = p.Flag("index-sanity-check", "Make the check by which a start decides whether an index must be rebuilt, and show no entries.")
	o.maxMessage = p.Int("max-message-size", "size", "The size of the largest batch.").Default(5 << 20)
	o.maxBytes = p.Int("max-bytes", "size", "How many bytes of a .log to read.").Default(math.MaxInt32)
	o.valueDecoder = p.OptionalText("value-decoder-class", "", "How values are shown: one of "+decoderNames()+".").Default(decoderPackage + "StringDecoder")
	o.keyDecoder = p.OptionalText("key-decoder-class", "", "How keys are shown.").Default(decoderPackage + "StringDecoder")
	o.offsets = p.Flag("offsets-decoder", "The records are those of __consumer_offsets.")
	o.transactions = p.Flag("transaction-log-decoder", "The records are those of __transaction_state.")
	o.cluster = p.Flag("cluster-metadata-decoder", "The records are those of Kafka's own metadata log, which Barnabas has not.")
	o.remote = p.Flag("remote-log-metadata-decoder", "The records are those of Kafka's tiered storage, which Barnabas has not.")
	o.shareDecoder = p.Flag("share-group-state-decoder", "The records are those of __share_group_state.")
	o.skipMetadata = p.Flag("skip-record-metadata", "Show keys and values alone.")
	return o
}

// decoder picks how keys and values are shown.
func (o *dumpOptions) decoder() (recordDecoder, error) {
	for _, unknown := range []*jopt.Flag{o.cluster, o.remote, o.shareDecoder} {
		if unknown.Set() {
			return nil, fmt.Errorf("--%s: such records can't be decoded here", unknown.Name())
		}
	}
	switch {
	case o.offsets.Set():
		return decodeOffsetsRecord, nil
	case o.transactions.Set():
		return decodeTransactionRecord, nil
	}
	key, err := findDecoder(o.keyDecoder.Must())
	if err != nil {
		return nil, err
	}
	value, err := findDecoder(o.valueDecoder.Must())
	if err != nil {
		return nil, err
	}
	return plainRecordDecoder(key, value), nil
}

// runDumpLog is kafka-dump-log.
func runDumpLog(ctx context.Context, env *Env, args []string) error {
	o := newDumpOptions()
	if err := env.parse(o.p, args, o.p.Intro); err != nil {
		return err
	}
	if err := o.p.Required(o.files); err != nil {
		return err
	}
	if err := jopt.Check(o.files, o.maxMessage, o.maxBytes, o.valueDecoder, o.keyDecoder); err != nil {
		return o.p.Usagef("%v", err)
	}
	decode, err := o.decoder()
	if err != nil {
		return err
	}
	d := newDump(env)
	d.decode = decode
	d.sanityOnly, d.verifyOnly, d.skipMetadata = o.sanity.Set(), o.verify.Set(), o.skipMetadata.Set()
	d.maxBytes, d.maxMessage = o.maxBytes.Must(), int(o.maxMessage.Must())
	d.contents = o.printData.Set() || o.offsets.Set() || o.transactions.Set() || o.valueDecoder.Set() || o.keyDecoder.Set()
	d.deep = o.deep.Set() || d.contents
	return d.run(ctx, strings.Split(o.files.Must(), ","))
}

func newDump(env *Env) *dump {
	return &dump{
		env: env, fs: vfs.OS, out: bufio.NewWriterSize(env.Stdout, 64<<10),
		maxBytes: math.MaxInt32, maxMessage: 5 << 20,
	}
}

// run shows the files, and then what is wrong with them.
func (d *dump) run(ctx context.Context, files []string) error {
	for _, path := range files {
		fmt.Fprintf(d.out, "Dumping %s\n", path)
		err := d.file(ctx, path)
		if flushed := d.out.Flush(); err == nil {
			err = flushed
		}
		if err != nil {
			return dumpError(path, err)
		}
		if ctx.Err() != nil {
			return afterSignal(ctx)
		}
	}
	d.mismatches.print(d.env, "Mismatches in :", "  Index offset: %d, log offset: %d")
	d.timestamps.print(d.env, "Found timestamp mismatch in :", "  Index timestamp: %d, log timestamp: %d")
	d.disorder.print(d.env, "Found out of order timestamp in :", "  Index timestamp: %d, Previously indexed timestamp: %d")
	d.offsetsWanted.print(d.env, "The following indexed offsets are not found in :", "Indexed offset: %d, found log offset: %d")
	d.gaps.print(d.env, "Non-consecutive offsets in ", "  %d is followed by %d")
	return nil
}

func dumpError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no such file", path)
	}
	return fmt.Errorf("%s: %w", path, err)
}

func (d *dump) file(ctx context.Context, path string) error {
	suffix := filepath.Ext(path)
	switch suffix {
	case ".snapshot":
		return d.snapshot(path)
	case ".txnindex":
		return d.transactionIndex(path)
	case ".checkpoint":
		return d.log(ctx, path)
	case ".log", ".index", ".timeindex":
	default:
		d.env.warnf("Ignoring unknown file %s\n", path)
		return nil
	}
	base, err := segmentBase(path)
	if err != nil {
		return err
	}
	switch suffix {
	case ".index":
		return d.offsetIndex(path, base)
	case ".timeindex":
		return d.timeIndex(path, base)
	}
	fmt.Fprintf(d.out, "Log starting offset: %d\n", base)
	return d.log(ctx, path)
}

// segmentBase reads the first offset of a segment from the name of one of its files.
func segmentBase(path string) (record.Offset, error) {
	digits, _, _ := strings.Cut(filepath.Base(path), ".")
	base, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no offset: a segment's files are named by its first one", digits)
	}
	return record.Offset(base), nil
}

func (d *dump) snapshot(path string) error {
	entries, err := storage.ReadProducerSnapshot(d.fs, path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		fmt.Fprintf(d.out, "producerId: %d producerEpoch: %d coordinatorEpoch: %d currentTxnFirstOffset: %s lastTimestamp: %d",
			e.ID, e.Epoch, e.CoordinatorEpoch, optionalLong(int64(e.TxnStart), e.TxnStart >= 0), e.LastTimestamp)
		if e.HasBatch {
			fmt.Fprintf(d.out, " firstSequence: %d lastSequence: %d lastOffset: %d offsetDelta: %d timestamp: %d",
				e.FirstSequence, e.LastSequence, e.LastOffset, e.OffsetDelta, e.LastTimestamp)
		}
		fmt.Fprintln(d.out)
	}
	return nil
}

func (d *dump) transactionIndex(path string) error {
	aborted, err := storage.ReadTransactionIndex(d.fs, path)
	for _, t := range aborted {
		fmt.Fprintf(d.out, "version: 0 producerId: %d firstOffset: %d lastOffset: %d lastStableOffset: %d\n",
			t.Producer, t.FirstOffset, t.LastOffset, t.LastStableOffset)
	}
	return err
}

// optionalLong is how Java shows a number that may be absent.
func optionalLong(n int64, present bool) string {
	if !present {
		return "OptionalLong.empty"
	}
	return fmt.Sprintf("OptionalLong[%d]", n)
}

// dumpLogCommand is `barnabas dump-log FILE...`.
func dumpLogCommand(m *modern) *cobra.Command {
	var records, values, offsets, transactions bool
	cmd := &cobra.Command{
		Use: "dump-log FILE...", Short: "Show what is in the files of a log", Args: cobra.MinimumNArgs(1),
		Example: "  barnabas dump-log --values data/orders-0/*.log",
		RunE: func(cmd *cobra.Command, args []string) error {
			d := newDump(m.env)
			text, err := findDecoder("")
			if err != nil {
				return err
			}
			d.decode = plainRecordDecoder(text, text)
			switch {
			case offsets:
				d.decode = decodeOffsetsRecord
			case transactions:
				d.decode = decodeTransactionRecord
			}
			d.contents = values || offsets || transactions
			d.deep = records || d.contents
			return d.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&records, "records", "r", false, "show the records of each batch")
	flags.BoolVarP(&values, "values", "v", false, "show keys and values too")
	flags.BoolVar(&offsets, "offsets", false, "the records are those of __consumer_offsets")
	flags.BoolVar(&transactions, "transactions", false, "the records are those of __transaction_state")
	return cmd
}
