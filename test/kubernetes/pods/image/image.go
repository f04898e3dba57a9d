// Package image takes an OCI archive apart: the files of this machine's platform, and what the image says of itself.
package image

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Image is one that has been unpacked.
type Image struct {
	// Root is the directory of its files.
	Root string
	// Size is that of its layers in the archive, compressed, in bytes.
	Size   int64
	Config Config
}

// Config is what containers get that say nothing else.
type Config struct {
	User       string   `json:"User"`
	Env        []string `json:"Env"`
	Entrypoint []string `json:"Entrypoint"`
	Cmd        []string `json:"Cmd"`
	WorkingDir string   `json:"WorkingDir"`
}

type descriptor struct {
	Digest   string `json:"digest"`
	Size     int64  `json:"size"`
	Platform struct {
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

// blobs are the archive's files, by their name in it.
type blobs map[string][]byte

func (b blobs) decode(name string, into any) error {
	raw, there := b[name]
	if !there {
		return fmt.Errorf("the archive has no %s", name)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func blob(d descriptor) string { return "blobs/" + strings.ReplaceAll(d.Digest, ":", "/") }

// Unpack puts the files of this platform's image into a directory.
func Unpack(archive, dir string) (*Image, error) {
	b, err := read(archive)
	if err != nil {
		return nil, err
	}
	var index, platforms struct{ Manifests []descriptor }
	if err := b.decode("index.json", &index); err != nil {
		return nil, err
	}
	if len(index.Manifests) != 1 {
		return nil, fmt.Errorf("%s: one image is expected, not %d", archive, len(index.Manifests))
	}
	if err := b.decode(blob(index.Manifests[0]), &platforms); err != nil {
		return nil, err
	}
	for _, m := range platforms.Manifests {
		if m.Platform.Architecture == runtime.GOARCH {
			return b.unpack(m, dir)
		}
	}
	return nil, fmt.Errorf("%s has nothing for %s", archive, runtime.GOARCH)
}

func (b blobs) unpack(m descriptor, dir string) (*Image, error) {
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	if err := b.decode(blob(m), &manifest); err != nil {
		return nil, err
	}
	var config struct{ Config Config }
	if err := b.decode(blob(manifest.Config), &config); err != nil {
		return nil, err
	}
	image := &Image{Root: dir, Config: config.Config}
	for _, layer := range manifest.Layers {
		image.Size += layer.Size
		content, err := gzip.NewReader(strings.NewReader(string(b[blob(layer)])))
		if err != nil {
			return nil, err
		}
		if err := unpackLayer(content, dir); err != nil {
			return nil, err
		}
	}
	return image, nil
}

func read(archive string) (blobs, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := blobs{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", archive, err)
		}
		if b[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

// unpackLayer knows what the images of this project are made of: directories, files and symbolic links.
func unpackLayer(content io.Reader, dir string) error {
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Join(dir, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, name)
		case tar.TypeReg:
			err = write(name, r)
		default:
			err = fmt.Errorf("%s is of type %c", h.Name, h.Typeflag)
		}
		if err == nil && h.Typeflag != tar.TypeSymlink {
			err = os.Chmod(name, h.FileInfo().Mode()) // the sticky bit too
		}
		if err != nil {
			return err
		}
	}
}

func write(name string, content io.Reader) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
