package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// debianPackages are what the image has besides the program.
var debianPackages = []string{"bash-static", "busybox-static"}

// debianPackage is one of Debian's packages, fetched.
type debianPackage struct {
	name, version, arch string
	file                string
	sha256              string
}

// fetchPackages downloads the packages for an architecture by this machine's apt, which checks Debian's signatures. apt
// keeps its lists apart from the machine's own, so neither root nor a foreign architecture in dpkg is needed. What was fetched
// is kept; remove the folder to have newer ones.
func fetchPackages(ctx context.Context, cache, arch string) ([]debianPackage, error) {
	dir, err := filepath.Abs(filepath.Join(cache, arch, "debian"))
	if err != nil {
		return nil, err
	}
	found, err := findPackages(dir, arch)
	if err == nil {
		return found, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, fmt.Errorf("bash and busybox come from Debian's packages, and there is no apt-get here: put %s for %s into %s",
			strings.Join(debianPackages, " and "), arch, dir)
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	settings := []string{
		"-o", "APT::Architecture=" + arch, "-o", "APT::Architectures=" + arch,
		"-o", "Dir::State::lists=" + filepath.Join(dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "Dir::State::status=/dev/null", "-o", "APT::Sandbox::User=", "-qq",
	}
	for _, words := range [][]string{{"update"}, append([]string{"download"}, debianPackages...)} {
		cmd := exec.CommandContext(ctx, "apt-get", append(settings[:len(settings):len(settings)], words...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("apt-get %s for %s: %w\n%s", words[0], arch, err, out)
		}
	}
	for _, sub := range []string{"lists", "cache"} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return nil, err
		}
	}
	return findPackages(dir, arch)
}

// findPackages looks for name_version_arch.deb of each.
func findPackages(dir, arch string) ([]debianPackage, error) {
	var found []debianPackage
	for _, name := range debianPackages {
		files, err := filepath.Glob(filepath.Join(dir, name+"_*_"+arch+".deb"))
		if err != nil {
			return nil, err
		}
		if len(files) != 1 {
			return nil, fmt.Errorf("%d files of %s for %s in %s, want one", len(files), name, arch, dir)
		}
		content, err := os.ReadFile(files[0])
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		version, err := url.PathUnescape(strings.Split(filepath.Base(files[0]), "_")[1])
		if err != nil {
			return nil, err
		}
		found = append(found, debianPackage{name, version, arch, files[0], hex.EncodeToString(sum[:])})
	}
	return found, nil
}

// contents is the tar of a package's files.
func (p *debianPackage) contents(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", p.file)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("dpkg-deb %s: %w", p.file, err)
	}
	return out, nil
}
