package chart

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// live is a cluster in which some StatefulSets are installed, as far as `lookup` asks it.
func live(t *testing.T, sets map[string]*appsv1.StatefulSet) *rest.Config {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		name, found := strings.CutPrefix(r.URL.Path, "/apis/apps/v1/namespaces/barnabas/statefulsets/")
		var out any = metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: "apps/v1",
			APIResources: []metav1.APIResource{{Name: "statefulsets", SingularName: "statefulset", Namespaced: true, Kind: "StatefulSet", Verbs: metav1.Verbs{"get"}}},
		}
		switch set := sets[name]; {
		case found && set == nil:
			w.WriteHeader(http.StatusNotFound)
			out = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound}
		case found:
			out = set
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

// TestKeepersStay: an upgrade can't change how many keepers there are, nor where, and says what to do; everything else it can.
func TestKeepersStay(t *testing.T) {
	separate := live(t, render(t, release, "").sets)
	combined := live(t, render(t, release, "mode: combined\nbrokers: {replicas: 5}").sets)
	for _, c := range []struct {
		what    string
		cluster *rest.Config
		values  string
		want    string // in the refusal; empty for none
	}{
		{"nothing is installed", live(t, nil), "keepers: {replicas: 5}", ""},
		{"nothing changes", separate, "", ""},
		{"other things change", separate, "keepers: {podAnnotations: {a: b}}\nbrokers: {replicas: 7}", ""},
		{"more", separate, "keepers: {replicas: 5}", "this installation has 3 keepers and can't be given 5"},
		{"fewer", separate, "keepers: {replicas: 1}", "Keep keepers.replicas=3, or install another release beside it"},
		{"elsewhere", separate, "mode: combined", `this installation is "separate", with its keepers in the StatefulSet barnabas-keeper`},
		{"another release", separate, "keepers: {replicas: 5}\nfullnameOverride: other", ""},
		{"nothing changes, one process", combined, "mode: combined\nbrokers: {replicas: 5}", ""},
		{"more brokers, one process", combined, "mode: combined\nbrokers: {replicas: 9}", ""},
		{"fewer brokers than keepers", combined, "mode: combined\nbrokers: {replicas: 1}", "this installation has 3 keepers and can't be given 1"},
		{"out of the brokers", combined, "", `this installation is "combined", with its keepers in the StatefulSet barnabas-broker`},
	} {
		installed := release
		installed.Cluster = c.cluster
		_, err := Render(chartDir, installed, given(t, c.values))
		_, err3 := render3(release, c.cluster, given(t, c.values))
		for major, err := range map[int]error{4: err, 3: err3} {
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s, Helm %d: %v, want %q", c.what, major, err, c.want)
			}
		}
	}
}
