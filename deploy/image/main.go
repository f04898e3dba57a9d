// Command image builds the container image of Barnabas as an OCI archive, for several platforms at once, with neither a
// container engine nor another image below it: the binary and its links under Kafka's names in /opt/kafka/bin, a static
// bash and a static busybox from Debian's packages so that `kubectl exec … /bin/bash` works, and nothing else. The same
// source gives the same bytes.
//
//	go run ./deploy/image -out dist/barnabas.oci.tar
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	out       string
	tree      string // a directory to write the files to, instead of an archive
	sbom      string
	cache     string
	platforms []string // architectures by Go's names
	version   string
	name      string
	created   time.Time
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(ctx, args)
	if err != nil {
		return err
	}
	lock, err := lockCache(ctx, o.cache)
	if err != nil {
		return err
	}
	defer lock.Close()
	if o.tree != "" {
		t, _, err := platformTree(ctx, o, o.platforms[0])
		if err != nil {
			return err
		}
		return t.write(o.tree)
	}
	store := newBlobs()
	var manifests []descriptor
	var parts []component
	for _, arch := range o.platforms {
		manifest, used, err := buildPlatform(ctx, o, arch, store)
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		manifests, parts = append(manifests, manifest), append(parts, used...)
	}
	if err := writeArchive(o.out, o.name, o.version, manifests, store); err != nil {
		return err
	}
	if err := writeBill(o.sbom, o, parts); err != nil {
		return err
	}
	for _, m := range manifests {
		fmt.Printf("%s/%s %s, %.1f MB compressed\n", m.Platform.OS, m.Platform.Architecture, m.Digest, float64(store.size(m))/1e6)
	}
	fmt.Printf("%s, %s\n", o.out, o.sbom)
	return nil
}

func parse(ctx context.Context, args []string) (options, error) {
	var o options
	var platforms string
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&o.out, "out", "dist/barnabas.oci.tar", "the archive to write")
	flags.StringVar(&o.tree, "tree", "", "write the image's files to this directory, for a Dockerfile, and no archive; one platform")
	flags.StringVar(&o.sbom, "sbom", "dist/barnabas.spdx.json", "the bill of materials to write")
	flags.StringVar(&o.cache, "cache", ".cache/image", "where packages and binaries are kept")
	flags.StringVar(&platforms, "platforms", "amd64,arm64", "architectures, with commas")
	flags.StringVar(&o.version, "version", "", "the version (default: git describe)")
	flags.StringVar(&o.name, "name", "barnabas", "the image's name, without its tag")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.platforms = strings.Split(platforms, ",")
	if o.tree != "" && len(o.platforms) != 1 {
		return o, fmt.Errorf("-tree writes one platform: give -platforms amd64 or arm64")
	}
	for _, arch := range o.platforms {
		if arch != "amd64" && arch != "arm64" {
			return o, fmt.Errorf("-platforms: %q is neither amd64 nor arm64", arch)
		}
	}
	if o.version == "" {
		// Clients tell brokers their version, which refuse an empty one.
		o.version = cmp.Or(output(ctx, "git", "describe", "--tags", "--always", "--dirty"), "dev")
	}
	// The commit's time and not now: two builds of one commit are the same image.
	seconds := output(ctx, "git", "log", "-1", "--format=%ct")
	if given := os.Getenv("SOURCE_DATE_EPOCH"); given != "" {
		seconds = given
	}
	var unix int64
	if _, err := fmt.Sscan(seconds, &unix); err != nil {
		return o, fmt.Errorf("the time of the image: give SOURCE_DATE_EPOCH in seconds, where git can't tell it (%q)", seconds)
	}
	o.created = time.Unix(unix, 0).UTC()
	return o, nil
}

// buildPlatform makes one image and returns the descriptor of its manifest, and what is in it.
func buildPlatform(ctx context.Context, o options, arch string, store *blobs) (descriptor, []component, error) {
	t, parts, err := platformTree(ctx, o, arch)
	if err != nil {
		return descriptor{}, nil, err
	}
	l, err := store.addLayer(t.layer())
	if err != nil {
		return descriptor{}, nil, err
	}
	return store.addImage(arch, o.version, o.created, l), parts, nil
}

// platformTree is the files of one platform's image, and what they are made of.
func platformTree(ctx context.Context, o options, arch string) (*tree, []component, error) {
	binary, err := buildBinary(ctx, o, arch)
	if err != nil {
		return nil, nil, err
	}
	links, err := toolNames(ctx)
	if err != nil {
		return nil, nil, err
	}
	packages, err := fetchPackages(ctx, o.cache, arch)
	if err != nil {
		return nil, nil, err
	}
	t := newTree(o.created)
	if err := fillShell(ctx, t, packages); err != nil {
		return nil, nil, err
	}
	if err := fillProgram(t, binary, links); err != nil {
		return nil, nil, err
	}
	parts, err := components(binary, packages)
	return t, parts, err
}
