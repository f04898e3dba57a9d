package config

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// manifestEnvironment are the variables of the containers in a file of deploy/manifests, in a pod called as given.
func manifestEnvironment(t *testing.T, file, pod string) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/manifests/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var set struct {
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env []struct {
								Name, Value string
							}
						}
					}
				}
			}
		}
		if err := decoder.Decode(&set); err == io.EOF {
			return env
		} else if err != nil && !strings.Contains(err.Error(), "cannot unmarshal") {
			t.Fatal(err)
		}
		for _, box := range set.Spec.Template.Spec.Containers {
			for _, v := range box.Env {
				value := strings.NewReplacer("$(POD_NAME)", pod, "$(POD_NAMESPACE)", "shop").Replace(v.Value)
				if v.Name == "POD_NAME" {
					value = pod
				}
				env = append(env, v.Name+"="+value)
			}
		}
	}
}

// TestManifestsAreUnderstood: what deploy/manifests, and so the chart, tell a pod are settings, and mean what they should.
func TestManifestsAreUnderstood(t *testing.T) {
	nobody := func() (string, error) { return "node", nil }
	b, notices, err := Load(Sources{Env: manifestEnvironment(t, "brokers.yaml", "barnabas-broker-2"), Hostname: nobody})
	if err != nil || len(notices) > 0 {
		t.Fatalf("%v, %v", err, notices)
	}
	if len(b.Keepers.Servers) != 3 || b.Listeners[0].AdvertisedHost != "barnabas-broker-2.barnabas-broker.shop.svc" || b.HTTP != ":8080" || b.HTTPByDefault ||
		b.LogDirs[0] != "/data/logs" || DataBudget.In(b.View()) != 7730941132 || TopicsDir.In(b.View()) == "" {
		t.Errorf("got %+v", b)
	}
	k, notices, err := LoadKeeper(Sources{Env: manifestEnvironment(t, "keepers.yaml", "barnabas-keeper-1"), Hostname: nobody})
	if err != nil || len(notices) > 0 || k.ID != 2 || k.HTTP != ":8080" || k.HTTPByDefault || k.DataDir != "/data/keeper" {
		t.Errorf("got %+v, %v, %v", k, notices, err)
	}
}
