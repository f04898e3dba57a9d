package chart

import (
	"maps"
	"path"
	"strings"
	"testing"

	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	chartutil3 "helm.sh/helm/v3/pkg/chartutil"
	engine3 "helm.sh/helm/v3/pkg/engine"
	lint3 "helm.sh/helm/v3/pkg/lint"
	support3 "helm.sh/helm/v3/pkg/lint/support"
	"k8s.io/client-go/rest"
)

// render3 is Render as Helm 3 does it.
func render3(release Release, cluster *rest.Config, values map[string]any) (map[string]string, error) {
	loaded, err := loader3.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	options := chartutil3.ReleaseOptions{Name: release.Name, Namespace: release.Namespace, Revision: 1, IsInstall: true}
	all, err := chartutil3.ToRenderValues(loaded, values, options, chartutil3.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	render := func() (map[string]string, error) { return engine3.Render(loaded, all) }
	if cluster != nil {
		render = func() (map[string]string, error) { return engine3.RenderWithClient(loaded, all, cluster) }
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

// TestBothMajors: Helm 3 renders every variant as Helm 4 does, refuses the same values, and has nothing to say of the chart.
func TestBothMajors(t *testing.T) {
	for name, text := range Variants {
		want, err := Render(chartDir, release, given(t, text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := render3(release, nil, given(t, text))
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: Helm 3 renders otherwise: %v", name, err)
			for file := range want {
				if got[file] != want[file] {
					t.Logf("%s by Helm 3:\n%s\nby Helm 4:\n%s", file, got[file], want[file])
				}
			}
		}
	}
	for text := range refusals {
		if _, err := render3(release, nil, given(t, text)); err == nil {
			t.Errorf("Helm 3 takes %s", text)
		}
	}
	for _, text := range linted {
		for _, m := range lint3.All(chartDir, given(t, text), release.Namespace, false).Messages {
			if m.Severity >= support3.WarningSev && !strings.Contains(m.Error(), "icon") {
				t.Errorf("%q: %v", text, m)
			}
		}
	}
}
