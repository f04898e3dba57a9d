package cli

import (
	"fmt"
	"slices"
	"strings"
)

const metadataFeature = "metadata.version"

// firstMetadataLevel is the level of the first of metadataVersions.
const firstMetadataLevel = 7

// metadataVersions are the names of the levels of metadata.version, one after another.
var metadataVersions = strings.Fields(`3.3-IV3 3.4-IV0 3.5-IV0 3.5-IV1 3.5-IV2 3.6-IV0 3.6-IV1 3.6-IV2
	3.7-IV0 3.7-IV1 3.7-IV2 3.7-IV3 3.7-IV4 3.8-IV0 3.9-IV0 4.0-IV0 4.0-IV1 4.0-IV2 4.0-IV3
	4.1-IV0 4.1-IV1 4.2-IV0 4.2-IV1 4.3-IV0 4.4-IV0 4.4-IV1 4.4-IV2`)

// featureLevels says from which metadata.version on a release has each level of a feature by
// default; featureNames keeps Kafka's order.
var (
	featureNames  = []string{"kraft.version", "transaction.version", "group.version", "eligible.leader.replicas.version", "share.version", "streams.version"}
	featureLevels = map[string][]string{
		"kraft.version":                    {"3.9-IV0"},
		"transaction.version":              {"4.0-IV2", "4.0-IV2"},
		"group.version":                    {"4.0-IV0"},
		"eligible.leader.replicas.version": {"4.1-IV0"},
		"share.version":                    {"4.2-IV0", "4.4-IV0"},
		"streams.version":                  {"4.2-IV1"},
	}
	// featureDependencies are the levels of other features that a level needs.
	featureDependencies = map[string]map[int16]map[string]int16{
		"eligible.leader.replicas.version": {1: {metadataFeature: 23}},
	}
)

// levelText is a level as kafka-features shows it: metadata.version by its name.
func levelText(feature string, level int16) string {
	if feature != metadataFeature {
		return fmt.Sprint(level)
	}
	if name, ok := metadataName(level); ok {
		return name
	}
	return fmt.Sprintf("UNKNOWN %d", level)
}

func metadataName(level int16) (string, bool) {
	i := int(level) - firstMetadataLevel
	if i < 0 || i >= len(metadataVersions) {
		return "", false
	}
	return metadataVersions[i], true
}

// metadataLevel finds the level of a version by its name; 4.0 means the last of 4.0.
func metadataLevel(version string) (int16, error) {
	for i, name := range slices.Backward(metadataVersions) {
		if name == version || strings.HasPrefix(name, version+"-") {
			return int16(i + firstMetadataLevel), nil
		}
	}
	return 0, sayf("Unknown release version '%s'. Supported versions are: %s to %s", version,
		metadataVersions[0], metadataVersions[len(metadataVersions)-1])
}

// releaseLevels are the levels that a release has by default.
func releaseLevels(version string) (map[string]int16, error) {
	level, err := metadataLevel(version)
	if err != nil {
		return nil, err
	}
	levels := map[string]int16{metadataFeature: level}
	for feature, since := range featureLevels {
		levels[feature] = 0
		for i, version := range since {
			if first, err := metadataLevel(version); err == nil && level >= first {
				levels[feature] = int16(i + 1)
			}
		}
	}
	return levels, nil
}

func (o *featuresOptions) printMapping(env *Env) error {
	version := metadataVersions[len(metadataVersions)-1]
	if o.release.Set() {
		version = o.release.Must()
	}
	return printMapping(env, version)
}

func printMapping(env *Env, version string) error {
	levels, err := releaseLevels(version)
	if err != nil {
		return err
	}
	env.printf("%s=%d (%s)\n", metadataFeature, levels[metadataFeature], version)
	for _, name := range featureNames {
		env.printf("%s=%d\n", name, levels[name])
	}
	return nil
}

func printDependencies(env *Env, words []string) error {
	for _, word := range words {
		levels, err := parseLevels([]string{word}, false)
		if err != nil {
			return err
		}
		for name, level := range levels {
			if err := printDependency(env, name, level); err != nil {
				return err
			}
		}
	}
	return nil
}

func printDependency(env *Env, name string, level int16) error {
	if name == metadataFeature {
		version, ok := metadataName(level)
		if !ok {
			return sayf("Unknown metadata.version %d", level)
		}
		env.printf("%s=%d (%s) has no dependencies.\n", name, level, version)
		return nil
	}
	known, ok := featureLevels[name]
	if !ok {
		return sayf("Unknown feature: %s", name)
	}
	if level < 0 || int(level) > len(known) {
		return sayf("No feature:%s with feature level %d", name, level)
	}
	needs := featureDependencies[name][level]
	if len(needs) == 0 {
		env.printf("%s=%d has no dependencies.\n", name, level)
		return nil
	}
	env.printf("%s=%d requires:\n", name, level)
	for other, otherLevel := range needs {
		if other == metadataFeature {
			env.printf("    %s=%d (%s)\n", other, otherLevel, levelText(other, otherLevel))
		} else {
			env.printf("    %s=%d\n", other, otherLevel)
		}
	}
	return nil
}
