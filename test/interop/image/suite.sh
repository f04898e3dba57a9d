#!/usr/bin/env bash
# The image: built, unpacked, and run by runc with a read-only root, as nobody and as an unheard-of user. In it the
# recipe's own session. Where this machine lets nobody make containers, chroot stands in, and says so.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
id=barnabas-image-$$
trap 'runc delete -f "$id" >/dev/null 2>&1 || true; [ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$root"

arch=$(go env GOARCH)
go run ./deploy/image -platforms "$arch" -cache "$CACHE/image" -out "$work/image.tar" -sbom "$work/sbom.json"
size=$(stat -c %s "$work/image.tar")
[ "$size" -le 30000000 ] || { echo "the image takes $size bytes, 30 MB are the bound"; exit 1; }
python3 - "$work" <<'PY'
import gzip, hashlib, json, sys, tarfile
work = sys.argv[1]
archive = tarfile.open(work + "/image.tar")
def blob(digest):
    content = archive.extractfile("blobs/" + digest.replace(":", "/")).read()
    assert "sha256:" + hashlib.sha256(content).hexdigest() == digest, digest
    return content
assert json.load(archive.extractfile("oci-layout"))["imageLayoutVersion"] == "1.0.0"
top = json.load(archive.extractfile("index.json"))
manifest = json.loads(blob(json.loads(blob(top["manifests"][0]["digest"]))["manifests"][0]["digest"]))
config = json.loads(blob(manifest["config"]["digest"]))
assert config["config"]["User"].split(":")[0] not in ("", "0", "root"), config["config"]["User"]
assert len(manifest["layers"]) == len(config["rootfs"]["diff_ids"]) == 1
content = gzip.decompress(blob(manifest["layers"][0]["digest"]))
assert "sha256:" + hashlib.sha256(content).hexdigest() == config["rootfs"]["diff_ids"][0]
open(work + "/layer.tar", "wb").write(content)
names = {p["name"] for p in json.load(open(work + "/sbom.json"))["packages"]}
assert {"bash-static", "busybox-static", "go", "go.etcd.io/etcd/server/v3"} <= names, names
PY
mkdir "$work/rootfs" && tar -xf "$work/layer.tar" -C "$work/rootfs"

# spec UID PORT: what a kubelet would hand to runc, but for the network, which is this machine's.
spec() {
  python3 - "$work" "$1" "$2" <<'PY'
import json, sys
work, uid, port = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def tmpfs(where): return {"destination": where, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]}
json.dump({
    "ociVersion": "1.0.2",
    "process": {
        "terminal": False, "user": {"uid": uid, "gid": 0}, "cwd": "/", "noNewPrivileges": True,
        "args": ["/opt/kafka/bin/barnabas", "start"],
        "env": ["PATH=/opt/kafka/bin:/usr/bin:/bin", "KAFKA_BROKER_ID=1", "KAFKA_CREATE_TOPICS=mytopic:2:1",
                f"KAFKA_LISTENERS=PLAINTEXT://127.0.0.1:{port}", "KAFKA_HTTP_LISTENER=127.0.0.1:0", "KAFKA_HEAP_OPTS=-Xmx1G"],
    },
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "pod",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, tmpfs("/data"), tmpfs("/tmp")],
    "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
}, open(work + "/config.json", "w"))
PY
}

session() { # session IN...: what someone types in the pod, once the topic that it was started with is there
  timeout 120 "$@" /bin/bash -c "cd /opt/kafka/bin && printf '%s\n' '野猪套天下第一' 'test' '!@#\$' '123' |
    ./kafka-console-producer.sh --broker-list 127.0.0.1:$port --topic test &&
    ./kafka-console-consumer.sh --bootstrap-server 127.0.0.1:$port --topic test --from-beginning --max-messages 4 &&
    until topics=\$(./kafka-topics.sh --bootstrap-server 127.0.0.1:$port --list) && grep -qx mytopic <<<\"\$topics\"; do sleep 0.1; done &&
    echo \"\$topics\""
}

free_port() {
  while port=$((20000 + RANDOM % 10000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
}

await() { # until the broker answers
  for _ in $(seq 900); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.1
  done
  echo "the broker does not answer:" && cat "$work/broker.log"
  return 1
}

# No link leads to a command that Debian's busybox lacks.
"$work/rootfs/bin/busybox" --list >"$work/applets"
find "$work/rootfs/bin" -lname '*busybox' -printf '%f\n' | grep -vxFf "$work/applets" >"$work/dead" || true
[ ! -s "$work/dead" ] || { echo "busybox does not know: $(xargs <"$work/dead")"; exit 1; }

want=$(printf '%s\n' '野猪套天下第一' 'test' '!@#$' '123' '__consumer_offsets' 'mytopic' 'test')
for uid in 65534 $((100000 + RANDOM)); do
  free_port
  spec "$uid" "$port"
  if runc run --bundle "$work" --detach --pid-file "$work/pid" "$id" >"$work/broker.log" 2>&1; then
    in=(runc exec "$id") how=runc
  else
    echo "runc makes no container here ($(tail -1 "$work/broker.log")): chroot instead"
    chmod 1777 "$work/rootfs/data"
    env -i PATH=/opt/kafka/bin:/usr/bin:/bin KAFKA_BROKER_ID=1 KAFKA_CREATE_TOPICS=mytopic:2:1 \
      "KAFKA_LISTENERS=PLAINTEXT://127.0.0.1:$port" KAFKA_HTTP_LISTENER=127.0.0.1:0 \
      chroot --userspec="$uid:0" "$work/rootfs" /opt/kafka/bin/barnabas start >"$work/broker.log" 2>&1 &
    echo $! >"$work/pid"
    in=(chroot --userspec="$uid:0" "$work/rootfs" /usr/bin/env "PATH=/opt/kafka/bin:/usr/bin:/bin") how=chroot
  fi
  pid=$(cat "$work/pid")
  await
  got=$(session "${in[@]}" 2>"$work/session.log") || { cat "$work/session.log" "$work/broker.log"; exit 1; }
  [ "$got" = "$want" ] || { printf 'as user %s the session says:\n%s\nwanted:\n%s\n' "$uid" "$got" "$want"; exit 1; }
  kill -TERM "$pid"
  for _ in $(seq 900); do
    kill -0 "$pid" 2>/dev/null && [ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ] || break
    sleep 0.1
  done
  ! kill -0 "$pid" 2>/dev/null || [ "$(ps -o stat= -p "$pid" | cut -c1)" = Z ] || { echo "SIGTERM has not stopped it"; exit 1; }
  [ "$how" != runc ] || runc delete -f "$id"
  rm -rf "${work:?}/rootfs/data/"*
  pid=
  echo "as user $uid, by $how: the recipe's session, and a stop"
done
