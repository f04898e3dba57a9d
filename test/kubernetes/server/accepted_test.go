package server

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"barnabas/test/kubernetes/chart"
)

const (
	chartDir     = "../../../deploy/chart"
	manifestsDir = "../../../deploy/manifests"
	recipeDir    = "../pods/testdata/recipe"
)

// rendered are the documents of the chart for a namespace. look has the templates see what is installed.
func rendered(t *testing.T, namespace, values string, look bool) ([]document, error) {
	t.Helper()
	release := chart.Release{Name: "barnabas", Namespace: namespace}
	if look {
		release.Cluster = at.config()
	}
	given := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	files, err := chart.Render(chartDir, release, given)
	if err != nil {
		return nil, err
	}
	var out []document
	for _, text := range chart.Documents(files) {
		if d := parse(t, text, namespace); !d.foreign() {
			out = append(out, d)
		}
	}
	return out, nil
}

// accept sends documents, accounts first: pods need theirs to be there.
func accept(t *testing.T, documents []document, dry bool) {
	t.Helper()
	for _, accounts := range []bool{true, false} {
		for _, d := range documents {
			if (d.kind == "v1 ServiceAccount") != accounts {
				continue
			}
			if err := d.create(t, dry && !accounts); err != nil {
				t.Errorf("%s: %v", d, err)
			}
		}
	}
}

// TestChartIsAccepted: every variant, and the pods that come of it, where the restricted standard is enforced.
func TestChartIsAccepted(t *testing.T) {
	for i, name := range slices.Sorted(maps.Keys(chart.Variants)) {
		t.Run(name, func(t *testing.T) {
			namespace := fmt.Sprint("variant-", i)
			at.namespace(t, namespace)
			documents, err := rendered(t, namespace, chart.Variants[name], false)
			if err != nil {
				t.Fatal(err)
			}
			if name == "nothing" { // and this account every namespace has, if a controller makes it
				account := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\n"
				documents = append(documents, parse(t, account, namespace))
			}
			accept(t, documents, true)
			for _, d := range documents {
				if d.kind != "apps/v1 StatefulSet" {
					continue
				}
				if err := d.pod(t).create(t, true); err != nil {
					t.Errorf("the pod of %s: %v", d, err)
				}
			}
		})
	}
}

// TestUpgrades: from the defaults, installed, to every other variant. Volumes in the place of others are what Kubernetes refuses, keepers
// in another number or elsewhere the chart.
func TestUpgrades(t *testing.T) {
	const namespace = "upgrades"
	at.namespace(t, namespace)
	installed, err := rendered(t, namespace, "", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range installed {
		if err := d.apply(t, false); err != nil {
			t.Fatalf("%s: %v", d, err)
		}
	}
	chartRefuses := []string{"small", "one process", "more processes than keepers", "one process with volumes", "a volume and none", "one process, node ports", "more keepers"}
	for name, values := range chart.Variants {
		documents, err := rendered(t, namespace, values, true)
		if refused := err != nil; refused != slices.Contains(chartRefuses, name) {
			t.Errorf("%s: the chart says %v", name, err)
		}
		for _, d := range documents {
			err := d.apply(t, true)
			volumes := name == "volumes" && d.kind == "apps/v1 StatefulSet"
			if immutable := err != nil && strings.Contains(err.Error(), "volumeClaimTemplates") && strings.Contains(err.Error(), "immutable"); immutable != volumes || err != nil && !immutable {
				t.Errorf("%s: %s: %v", name, d, err)
			}
		}
	}
}

// TestManifestsAreAccepted: kubectl apply -k deploy/manifests.
func TestManifestsAreAccepted(t *testing.T) {
	text, err := chart.Build(manifestsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(text, "\n---\n") {
		if d := parse(t, part, "default"); d.kind == "v1 Namespace" {
			err = d.create(t, false)
		} else {
			err = d.apply(t, false)
		}
		if err != nil {
			t.Errorf("%v in\n%s", err, part)
		}
	}
}

// TestRecipeIsAccepted: the recipe's files with our image in them, as they are applied.
func TestRecipeIsAccepted(t *testing.T) {
	at.must(t, "POST", "/api/v1/namespaces", object{"metadata": object{"name": "recipe"}}, nil)
	files, err := filepath.Glob(filepath.Join(recipeDir, "*.yaml"))
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("image: zookeeper\n", "image: barnabas\n", "image: wurstmeister/kafka\n", "image: barnabas\n").Replace(string(raw))
		for _, part := range strings.Split("\n"+text, "\n---") {
			if strings.TrimSpace(part) == "" {
				continue
			}
			if d := parse(t, part, "recipe"); d.create(t, false) != nil {
				t.Errorf("%s: %s: %v", file, d, d.create(t, true))
			}
		}
	}
}
