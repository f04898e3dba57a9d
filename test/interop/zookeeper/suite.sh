#!/usr/bin/env bash
# ZooKeeper's own clients against an ensemble of three keepers: kazoo, zkCli and Curator, then all three while a keeper is killed and
# another one comes back with an empty directory; then Kafka 2.8's tools against keepers with brokers.
#
#   test/interop/zookeeper/suite.sh BINARY VENV LIB KAFKA    the keeper, kazoo's virtual environment, the jars of pom.xml
#                                                            and of kafka/pom.xml
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$1 venv=$2 lib=$3 kafka=$4
work=$(mktemp -d)
pids=(0 0 0 0) survivors=()

# An address from which nothing connects: a port that is free there stays free. All are held at once, so that they differ.
host=127.$((64 + RANDOM % 32)).$((1 + RANDOM % 250)).$((1 + RANDOM % 250))
read -ra ports < <("$venv/bin/python" -c "
import socket
held = [socket.socket() for _ in range(9)]
for s in held:
    s.bind(('$host', 0))
print(*(s.getsockname()[1] for s in held))")

start() { # start N: keeper N on its directory
  mkdir -p "$work/$1"
  ZOO_MY_ID=$1 "$binary" keeper "$work/$1.cfg" >>"$work/$1.log" 2>&1 &
  pids[$1]=$!
}

stop() { # stop N SIGNAL
  kill "-$2" "${pids[$1]}" 2>/dev/null && wait "${pids[$1]}" 2>/dev/null || true
  pids[$1]=0
}

serves() { # serves N: waits until keeper N has the tree
  for _ in $(seq 900); do
    case $({ exec 3<>"/dev/tcp/$host/${client[$1]}" && printf srvr >&3 && cat <&3; } 2>/dev/null) in
      *"Node count"*) return ;;
    esac
    sleep 0.1
  done
  echo "keeper $1 does not serve:" && tail -20 "$work/$1.log"
  return 1
}

holder() { # the keeper that has the only client
  for n in 1 2 3; do
    case $({ exec 3<>"/dev/tcp/$host/${client[$n]}" && printf cons >&3 && cat <&3; } 2>/dev/null) in
      *sid=*) echo "$n" && return ;;
    esac
  done
  echo "no keeper has a client" >&2
  return 1
}

finish() {
  for pid in "${survivors[@]}"; do kill "$pid" 2>/dev/null || true; done
  for n in 1 2 3; do [ "${pids[$n]}" = 0 ] || stop "$n" KILL; done
  rm -rf "$work"
}
trap finish EXIT

servers='' client=(0 0 0 0) hosts=''
for n in 1 2 3; do
  client[$n]=${ports[3 * n - 3]}
  servers+="server.$n=$host:${ports[3 * n - 2]}:${ports[3 * n - 1]};$host:${client[$n]}"$'\n'
  hosts+=${hosts:+,}$host:${client[$n]}
done
for n in 1 2 3; do
  printf 'dataDir=%s\n4lw.commands.whitelist=*\nmaxClientCnxns=0\nhttp.listener=127.0.0.1:0\n%s' "$work/$n" "$servers" >"$work/$n.cfg"
  start "$n"
done
for n in 1 2 3; do serves "$n"; done

echo "== kazoo"
"$venv/bin/python" "$here/suite.py" "$hosts"

echo "== zkCli"
"$here/zkcli.sh" "$lib" "$hosts"

echo "== Curator"
mkdir -p "$work/classes"
javac -nowarn -encoding UTF-8 -cp "$lib/*" -d "$work/classes" "$here/Suite.java" "$here/Survive.java"
java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$lib/*:$work/classes" Suite "$hosts"

echo "== a keeper killed, then one wiped"
said=() go=()
survive() { # survive COMMAND...: started beside the others; what it says, and what it is told, are fifos
  local n=${#survivors[@]}
  mkfifo "$work/said$n" "$work/go$n"
  "$@" <>"$work/go$n" >"$work/said$n" 2>"$work/survivor$n.log" &
  survivors+=($!)
  exec {fd}<"$work/said$n"
  said+=("$fd")
  exec {fd}>"$work/go$n"
  go+=("$fd")
}
hear() { # hear [N...]: the next line of each
  local n line
  for n in "${@:-${!survivors[@]}}"; do
    read -r line <&"${said[$n]}" || { echo "survivor $n ends:" && tail -40 "$work/survivor$n.log" && return 1; }
    echo "$line"
    [[ $line == *:\ * ]] || { cat <&"${said[$n]}"; return 1; }
  done
}
tell() {
  local fd
  for fd in "${go[@]}"; do echo "$1" >&"$fd"; done
}

# zkCli chooses its keeper, and that is the one to be killed. Then comes the one to which the others go next.
survive "$here/zkcli-survive.sh" "$lib" "$hosts"
hear 0
first=$(holder) second=$((first % 3 + 1)) third=$(((first + 1) % 3 + 1))
ordered=$host:${client[$first]},$host:${client[$second]},$host:${client[$third]}
survive "$venv/bin/python" "$here/survive.py" "$ordered"
survive java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$lib/*:$work/classes" Survive "$ordered"
hear 1 2
stop "$first" KILL
tell killed
hear
start "$first"
serves "$first"
stop "$second" KILL
rm -rf "${work:?}/$second"
start "$second"
serves "$second"
tell wiped
hear
for pid in "${survivors[@]}"; do wait "$pid"; done
for n in 1 2 3; do stop "$n" KILL; done

echo "== Kafka 2.8"
mkdir "$work/kafka"
"$venv/bin/python" "$here/kafka/suite.py" "$binary" "$kafka" "$lib" "$work/kafka"
echo "all passed"
