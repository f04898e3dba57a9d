package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Media types of the OCI image specification 1.1.
const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type imageConfig struct {
	Created      time.Time       `json:"created"`
	Architecture string          `json:"architecture"`
	OS           string          `json:"os"`
	Config       containerConfig `json:"config"`
	RootFS       rootFS          `json:"rootfs"`
	History      []history       `json:"history"`
}

type containerConfig struct {
	User         string              `json:"User"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	Env          []string            `json:"Env"`
	Entrypoint   []string            `json:"Entrypoint"`
	Cmd          []string            `json:"Cmd"`
	WorkingDir   string              `json:"WorkingDir"`
	Labels       map[string]string   `json:"Labels"`
	StopSignal   string              `json:"StopSignal"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// blobs are the contents of the archive by digest.
type blobs struct{ content map[string][]byte }

func newBlobs() *blobs { return &blobs{content: map[string][]byte{}} }

func (s *blobs) add(mediaType string, content []byte) descriptor {
	digest := digestOf(content)
	s.content[digest] = content
	return descriptor{MediaType: mediaType, Digest: digest, Size: int64(len(content))}
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// layer is a layer in the archive, and the digest of what it is when expanded.
type layer struct {
	descriptor
	diffID string
}

// addLayer compresses a tar without a time or a name in the result.
func (s *blobs) addLayer(content []byte, err error) (layer, error) {
	if err != nil {
		return layer{}, err
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return layer{}, err
	}
	if _, err := w.Write(content); err != nil {
		return layer{}, err
	}
	if err := w.Close(); err != nil {
		return layer{}, err
	}
	return layer{s.add(layerType, out.Bytes()), digestOf(content)}, nil
}

// addImage writes the configuration and the manifest of one platform's image.
func (s *blobs) addImage(arch, version string, created time.Time, l layer) descriptor {
	labels := map[string]string{
		"org.opencontainers.image.title":       "Barnabas",
		"org.opencontainers.image.description": "A distributed message queue that speaks the Kafka protocol and is safe without storage",
		"org.opencontainers.image.version":     version,
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.created":     created.Format(time.RFC3339),
	}
	config := imageConfig{
		Created: created, Architecture: arch, OS: "linux",
		Config: containerConfig{
			User: "65532:0",
			ExposedPorts: map[string]struct{}{
				"9092/tcp": {}, "8080/tcp": {}, "2181/tcp": {}, "2888/tcp": {}, "3888/tcp": {},
			},
			Env:        []string{"PATH=/opt/kafka/bin:/usr/bin:/bin"},
			Entrypoint: []string{"/opt/kafka/bin/barnabas"},
			Cmd:        []string{"start"}, // the role stands in the environment
			WorkingDir: "/",
			Labels:     labels,
			StopSignal: "SIGTERM",
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{l.diffID}},
		History: []history{{Created: created, CreatedBy: "deploy/image " + version}},
	}
	m := manifest{
		SchemaVersion: 2, MediaType: manifestType,
		Config: s.add(configType, encode(config)), Layers: []descriptor{l.descriptor}, Annotations: labels,
	}
	d := s.add(manifestType, encode(m))
	d.Platform = &platform{Architecture: arch, OS: "linux"}
	return d
}

// size is what an image takes to download.
func (s *blobs) size(image descriptor) int64 {
	var m manifest
	if err := json.Unmarshal(s.content[image.Digest], &m); err != nil {
		panic("image: a manifest of our own can't be read: " + err.Error())
	}
	size := image.Size + m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	return size
}

// writeArchive writes the OCI layout as a tar: what `docker load`, `podman load`, `ctr images import` and skopeo take.
func writeArchive(out, name, version string, manifests []descriptor, s *blobs) error {
	all := s.add(indexType, encode(index{SchemaVersion: 2, MediaType: indexType, Manifests: manifests}))
	all.Annotations = map[string]string{
		"org.opencontainers.image.ref.name": version,
		"io.containerd.image.name":          name + ":" + version,
	}
	files := map[string][]byte{
		"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`),
		"index.json": encode(index{SchemaVersion: 2, MediaType: indexType, Manifests: []descriptor{all}}),
	}
	for digest, content := range s.content {
		files["blobs/sha256/"+digest[len("sha256:"):]] = content
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: file, Mode: 0o644, Size: int64(len(files[file])), ModTime: time.Unix(0, 0), Format: tar.FormatPAX, Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(files[file]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return writeFile(out, archive.Bytes())
}

func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}

// encode makes JSON that is the same each time: structs in the order of their fields, maps in that of their keys.
func encode(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("image: %T: %v", v, err))
	}
	return out
}
