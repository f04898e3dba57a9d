// Package chart renders deploy/chart as Helm does, and deploy/manifests as kustomize does, without a cluster. Its tests
// hold what comes out against Kubernetes' own types, against each other, and against what a pod must have.
package chart

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Release is what `helm install` is told beside the values.
type Release struct {
	Name, Namespace string
	// KubeVersion is that of the cluster, as v1.37.0; empty is the newest that Helm knows.
	KubeVersion string
	// Cluster, unless nil, is the one whose objects the templates look up.
	Cluster *rest.Config
}

// Render is `helm template` of the chart in a directory: the documents of each template, by the template's name. Values that the
// chart's schema refuses are an error.
func Render(dir string, release Release, values map[string]any) (map[string]string, error) {
	loaded, err := loader.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", dir, err)
	}
	capabilities := common.DefaultCapabilities.Copy()
	if release.KubeVersion != "" {
		version, err := common.ParseKubeVersion(release.KubeVersion)
		if err != nil {
			return nil, err
		}
		capabilities.KubeVersion = *version
	}
	options := common.ReleaseOptions{Name: release.Name, Namespace: release.Namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(loaded, values, options, capabilities)
	if err != nil {
		return nil, err
	}
	render := func() (map[string]string, error) { return engine.Render(loaded, all) }
	if release.Cluster != nil {
		render = func() (map[string]string, error) { return engine.RenderWithClient(loaded, all, release.Cluster) }
	}
	files, err := render()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, text := range files {
		out[path.Base(name)] = text
	}
	return out, nil
}

// Documents are the YAML documents of all templates but the notes, in the order of their files.
func Documents(files map[string]string) []string {
	var documents []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".txt") || strings.HasPrefix(name, "_") {
			continue
		}
		documents = append(documents, split(files[name])...)
	}
	return documents
}

// split takes a file apart into its documents.
func split(text string) []string {
	var documents []string
	for _, document := range strings.Split("\n"+text, "\n---") {
		if strings.TrimSpace(document) != "" {
			documents = append(documents, strings.Trim(document, "\n")+"\n")
		}
	}
	return documents
}

// Build is `kustomize build` of a directory.
func Build(dir string) (string, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return "", fmt.Errorf("kustomize %s: %w", dir, err)
	}
	text, err := resources.AsYaml()
	return string(text), err
}
