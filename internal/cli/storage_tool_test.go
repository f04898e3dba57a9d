package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// storageConfig writes a configuration with two log directories and returns its path and theirs.
func storageConfig(t *testing.T, node string) (file, first, second string) {
	t.Helper()
	dir := t.TempDir()
	file, first, second = filepath.Join(dir, "server.properties"), filepath.Join(dir, "a"), filepath.Join(dir, "b")
	writeFile(t, file, []byte("node.id="+node+"\nlog.dirs="+first+","+second+"\n"))
	return file, first, second
}

const formatCluster = "MkU3OEVBNTcwNTJENDM2Qg"

func TestStorageFormatAndInfo(t *testing.T) {
	file, first, second := storageConfig(t, "3")
	stdout, _, code := run(t, "kafka-storage", "info", "-c", file)
	if want := "Found problems:\n  " + first + " does not exist\n  " + second + " does not exist\n\n"; code != 1 || stdout != want {
		t.Errorf("before: code %d, %q", code, stdout)
	}
	stdout, _, code = run(t, "kafka-storage", "format", "-c", file, "-t", formatCluster, "--standalone", "-r", "4.3-IV0")
	if want := "Formatting dynamic metadata voter directory " + first + " with metadata.version 4.3-IV0.\n" +
		"Formatting data directory " + second + " with metadata.version 4.3-IV0.\n"; code != 0 || stdout != want {
		t.Errorf("format: code %d, %q", code, stdout)
	}
	if err := os.RemoveAll(second); err != nil {
		t.Fatal(err)
	}
	stdout, _, code = run(t, "kafka-storage", "format", "-c", file, "-t", formatCluster, "--ignore-formatted")
	if want := "Formatting data directory " + second; code != 0 || !strings.HasPrefix(stdout, want) {
		t.Errorf("format again: code %d, %q", code, stdout)
	}
	stdout, _, code = run(t, "kafka-storage", "info", "-c", file)
	if code != 0 || !strings.Contains(stdout, "Found metadata: {cluster.id="+formatCluster+", directory.id=") ||
		!strings.Contains(stdout, ", node.id=3, version=1}\n") {
		t.Errorf("after: code %d, %q", code, stdout)
	}
}

func TestStorageRefusals(t *testing.T) {
	file, first, _ := storageConfig(t, "3")
	writeFile(t, filepath.Join(first, "meta.properties"), []byte("version=1\nnode.id=4\ncluster.id="+formatCluster+"\n"))
	for args, want := range map[string]string{
		"":                                "kafka-storage: error: too few arguments",
		"frobnicate":                      "invalid choice: 'frobnicate' (choose from 'info', 'format', ",
		"format -c " + file:               "argument --cluster-id/-t is required",
		"info -c /nosuch":                 "/nosuch: there is no such file",
		"random-uuid x":                   "unrecognized arguments: 'x'",
		"version-mapping -r 99":           "Unknown release version '99'.",
		"format -c " + file + " -t short": "Cluster ID string short does not appear to be a valid UUID",
		"format -c " + file + " -t " + formatCluster:                            "Expected 3, but read 4",
		"format -c " + file + " -t AAAAAAAAAAAAAAAAAAAAAQ":                      "Invalid cluster.id in: " + first,
		"format -c " + file + " -t " + formatCluster + " --add-scram x":         "add them with kafka-configs",
		"format -c " + file + " -t " + formatCluster + " --standalone -N":       "not allowed with argument --standalone/-s",
		"format -c " + file + " -t " + formatCluster + " --feature kraft.level": "kraft.level",
	} {
		_, stderr, code := run(t, append([]string{"kafka-storage.sh"}, strings.Fields(args)...)...)
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %q\nwant %q", args, code, stderr, want)
		}
	}
}

func TestStorageSeesDirectoriesThatDisagree(t *testing.T) {
	file, first, second := storageConfig(t, "3")
	writeFile(t, filepath.Join(first, "meta.properties"), []byte("version=1\nnode.id=3\ncluster.id="+formatCluster+"\n"))
	writeFile(t, filepath.Join(second, "meta.properties"), []byte("version=1\nnode.id=3\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\n"))
	stdout, _, code := run(t, "kafka-storage", "info", "-c", file)
	if code != 1 || !strings.Contains(stdout, "Found problem:\n  Mismatched cluster IDs between storage directories.\n") {
		t.Errorf("code %d, %q", code, stdout)
	}
}
