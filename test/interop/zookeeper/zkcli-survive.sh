#!/usr/bin/env bash
# ZooKeeper's own shell in one session across the loss of keepers: zkcli-survive.sh LIB HOSTS. A line on the standard input says that
# something has happened. By hand it does what recipes do: stands in an election, counts, and takes from a queue.
set -euo pipefail
lib=$1 hosts=$2
out=$(mktemp)
exec 7<&0
coproc shell { exec java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$lib/*" org.apache.zookeeper.ZooKeeperMain -server "$hosts" >"$out" 2>&1; }
java=$shell_PID to=${shell[1]}
trap 'kill -KILL "$java" 2>/dev/null || true; rm -f "$out"' EXIT

since=0
heard() { # heard TEXT: since the last command
  tail -c "+$((since + 1))" "$out" | grep -qF -- "$1"
}

ask() { # ask COMMAND ANSWER [OTHER]: again where a keeper is lost that has not answered; OTHER is as good, of a second attempt
  local again=''
  for _ in $(seq 60); do
    since=$(stat -c %s "$out")
    echo "$1" >&"$to"
    for _ in $(seq 300); do
      heard "$2" && return
      [ -z "$again" ] || [ -z "${3:-}" ] || ! heard "$3" || return 0
      ! heard ConnectionLoss && ! heard 'Not connected' || break
      sleep 0.1
    done
    again=1
    sleep 0.5
  done
  echo "zkCli does not answer $1 with $2:" && tail -40 "$out"
  return 1
}

stage() { # stage NUMBER: what was there is there, and everything goes on
  ask "stat /shell/me" "$owner"
  ask "create -e -s /shell/election/n- $1" 'Created /shell/election/n-'
  ask "ls /shell/election" '[n-0000000000' # who came first leads
  ask "set -s -v $(($1 - 1)) /shell/counter $1" "dataVersion = $1" 'version No is not valid'
  ask "get -s /shell/counter" "dataVersion = $1"
  ask "create -s /shell/queue/item- $1" 'Created /shell/queue/item-'
  ask "delete /shell/queue/first-$1"$'\n'"ls /shell/queue" "[first-$(($1 + 1)),"
}

ask "create /shell" 'Created /shell' 'Node already exists'
ask "create -e /shell/me" 'Created /shell/me' 'Node already exists'
ask "stat /shell/me" 'ephemeralOwner = 0x'
owner=$(grep -o 'ephemeralOwner = 0x[0-9a-f]*' "$out" | tail -1)
for node in counter queue election queue/first-1 queue/first-2 queue/first-3 queue/first-4; do
  ask "create /shell/$node" "Created /shell/$node" 'Node already exists'
done
ask $'addWatch -m PERSISTENT_RECURSIVE /shell/queue\nsync /shell' 'Sync is OK'
stage 1
echo "zkCli: a session with an election, a counter, a queue and a watch"
read -r word <&7 && [ "$word" = killed ]
stage 2
echo "zkCli: all of them go on after its keeper was killed, in the same session"
read -r word <&7 && [ "$word" = wiped ]
stage 3
for _ in $(seq 300); do
  told=$(grep -cE 'WatchedEvent state:SyncConnected type:NodeCreated path:/shell/queue/item-' "$out" || true)
  [ "$told" -lt 3 ] || break
  sleep 0.1
done
[ "$told" -ge 3 ] || { echo "zkCli's watch has told of $told new items, of 3:" && tail -60 "$out"; exit 1; }
echo "zkCli: and after another one was wiped, with its watch"
