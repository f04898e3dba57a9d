#!/usr/bin/env bash
# The interop suite for kcat. Usage: BOOTSTRAP=host:port suite.sh
# A case prints "ok NAME"; the first difference ends the run with its story.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { timeout 120 kcat -b "$BOOTSTRAP" -q "$@"; }
die() { echo "FAIL $*" >&2; exit 1; }

for i in $(seq 1 300); do
  printf 'key-%d\t野猪套天下第一 %d %s\n' "$i" "$i" "$(head -c $((i % 200)) /dev/zero | tr '\0' x)"
done > "$work/sent"

# Debian's kcat is built without zstd for producing; the other clients cover that codec.
for codec in none gzip snappy lz4; do
  topic="kcat-$codec-$$"
  run -P -t "$topic" -p 0 -K $'\t' -z "$codec" -H a=1 -H b=二 < "$work/sent"
  run -C -t "$topic" -p 0 -o beginning -e -f '%k\t%s\n' > "$work/got"
  cmp "$work/sent" "$work/got" || die "codec $codec: what came back differs"
  headers=$(run -C -t "$topic" -p 0 -o 299 -c 1 -f '%h %o')
  [ "$headers" = "a=1,b=二 299" ] || die "codec $codec: headers and offset are '$headers'"
  echo "ok kcat codec $codec: 300 records alike"
done

topic="kcat-none-$$"
listed=$(run -L -t "$topic") # whole: grep -q would end the pipe while it is written to
grep -q "topic \"$topic\" with 1 partitions" <<<"$listed" || die "metadata does not show $topic"
[ "$(run -Q -t "$topic:0:-1")" = "$topic [0] offset 300" ] || die "the offset of time -1 is $(run -Q -t "$topic:0:-1")"
run -G "kcat-group-$$" -X auto.offset.reset=earliest -e "$topic" -f '%k\t%s\n' > "$work/group"
cmp "$work/sent" "$work/group" || die "the group read something else"
again=$(run -G "kcat-group-$$" -X auto.offset.reset=earliest -e "$topic" | wc -l)
[ "$again" = 0 ] || die "the group read $again records a second time"
echo "ok kcat metadata, offsets by time, balanced consumer with committed offsets"
