# What the suites of Kafka's own tools share. Sourced, with BOOTSTRAP and CACHE given.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=$CACHE/../conformance/lib
command -v mvn >/dev/null || { echo "skip: mvn is missing (Debian's package maven)"; exit 77; }
(
  flock 9
  [ -f "$jars/.complete" ] || {
    mvn -q -B -f "$here/../../conformance/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" && touch "$jars/.complete"
  }
) 9>"$CACHE/jars.lock"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "FAIL $*" >&2; exit 1; }

# kafka CLASS ARG...: one of Kafka's tools, by its class.
kafka() {
  local class=$1
  shift
  timeout 300 java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$jars/*" "org.apache.kafka.tools.$class" "$@"
}
