#!/usr/bin/env bash
# ZooKeeper's own shell: zkcli.sh LIB HOSTS. Every command's answer is held against what a ZooKeeper says.
set -euo pipefail
lib=$1 hosts=$2
out=$(java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$lib/*" org.apache.zookeeper.ZooKeeperMain -server "$hosts" 2>&1 <<'CLI'
create /cli one
create -s /cli/s- x
create -e /cli/e y
create -c /cli/c
create -t 60000 /cli/t z
get -s /cli
set -v 0 /cli two
set -v 0 /cli three
ls /cli
ls -R /cli
getAllChildrenNumber /cli
getEphemerals /cli
stat /cli/e
addauth digest ann:secret
setAcl /cli auth::rwcda
getAcl /cli
whoami
addWatch -m PERSISTENT_RECURSIVE /cli
create /cli/w
removewatches /cli
sync /cli
delete /cli
deleteall /cli
stat /cli
version
quit
CLI
) || true
status=0
want() {
  grep -qF -- "$1" <<<"$out" || { echo "zkCli does not say: $1" && status=1; }
}
want 'Created /cli'
want 'Created /cli/s-0000000000'
want 'Created /cli/e'
want 'Created /cli/c'
want 'Created /cli/t'
want 'dataVersion = 0'
want 'version No is not valid : /cli'
want '[c, e, s-0000000000, t]'
want '/cli/s-0000000000'
want "'digest,'ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM="
want 'ip: 127.0.0.1'
want 'digest: ann'
want 'WatchedEvent state:SyncConnected type:NodeCreated path:/cli/w'
want 'Sync is OK'
want 'Node not empty: /cli'
want 'Node does not exist: /cli'
[ $status = 0 ] && echo "ok zkCli" || { echo "$out" | tail -80; exit 1; }
