package main

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// component is one thing that the image is made of.
type component struct {
	name, version string
	url           string // a package URL (purl)
	sha256        string // of a file that was fetched
	license       string
}

// components are what a binary was linked from, by its own account, and Debian's packages.
func components(binary string, packages []debianPackage) ([]component, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("what %s is made of: %w", binary, err)
	}
	parts := []component{{name: "go", version: strings.TrimPrefix(info.GoVersion, "go"), url: "pkg:golang/std@" + info.GoVersion[2:], license: "BSD-3-Clause"}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		parts = append(parts, component{name: m.Path, version: m.Version, url: "pkg:golang/" + m.Path + "@" + m.Version})
	}
	for _, p := range packages {
		parts = append(parts, component{
			name: p.name, version: p.version, sha256: p.sha256,
			url: fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s", p.name, p.version, p.arch),
		})
	}
	return parts, nil
}

// The parts of an SPDX 2.3 document that we fill.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		License       string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  time.Time `json:"created"`
		Creators []string  `json:"creators"`
	}
	spdxPackage struct {
		ID         string          `json:"SPDXID"`
		Name       string          `json:"name"`
		Version    string          `json:"versionInfo"`
		Download   string          `json:"downloadLocation"`
		Analyzed   bool            `json:"filesAnalyzed"`
		Declared   string          `json:"licenseDeclared"`
		Concluded  string          `json:"licenseConcluded"`
		Copyright  string          `json:"copyrightText"`
		Checksums  []spdxChecksum  `json:"checksums,omitempty"`
		References []spdxReference `json:"externalRefs,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxReference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

const unknown = "NOASSERTION"

// writeBill writes the bill of materials in SPDX, each component once however many platforms have it.
func writeBill(out string, o options, parts []component) error {
	byURL := map[string]component{}
	for _, part := range parts {
		byURL[part.url] = part
	}
	doc := spdxDocument{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: o.name + "-" + o.version,
		Namespace: "urn:barnabas:sbom:" + o.version,
		Creation:  spdxCreation{o.created, []string{"Tool: barnabas-deploy-image"}},
	}
	const self = "SPDXRef-barnabas"
	doc.Packages = []spdxPackage{spdxOf(self, component{
		name: o.name, version: o.version, url: "pkg:oci/" + o.name + "@" + o.version, license: "Apache-2.0",
	})}
	doc.Relationships = []spdxRelationship{{doc.ID, "DESCRIBES", self}}
	for i, url := range slices.Sorted(maps.Keys(byURL)) {
		id := fmt.Sprintf("SPDXRef-%d", i+1)
		doc.Packages = append(doc.Packages, spdxOf(id, byURL[url]))
		doc.Relationships = append(doc.Relationships, spdxRelationship{self, "CONTAINS", id})
	}
	return writeFile(out, append(encode(doc), '\n'))
}

func spdxOf(id string, c component) spdxPackage {
	p := spdxPackage{
		ID: id, Name: c.name, Version: c.version, Download: unknown,
		Declared: unknown, Concluded: unknown, Copyright: unknown,
		References: []spdxReference{{"PACKAGE-MANAGER", "purl", c.url}},
	}
	if c.license != "" {
		p.Declared, p.Concluded = c.license, c.license
	}
	if c.sha256 != "" {
		p.Checksums = []spdxChecksum{{"SHA256", c.sha256}}
	}
	return p
}
