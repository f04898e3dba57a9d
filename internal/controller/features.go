package controller

import (
	"maps"
	"slices"

	"barnabas/internal/metadata"
)

// MetadataVersion is the feature by which clients and tools tell a cluster's release. Its levels are
// Kafka's; those here are 3.3 (the first with levels) to 4.4.
const MetadataVersion = "metadata.version"

const (
	metadataVersionMin = 7
	metadataVersionMax = 33
)

// features are the levels of each feature that this release works with.
var features = map[string]metadata.FeatureRange{
	MetadataVersion: {Min: metadataVersionMin, Max: metadataVersionMax},
}

// SupportedFeatures are the levels of each feature that this release works with, for a broker's
// registration and for ApiVersions.
func SupportedFeatures() map[string]metadata.FeatureRange { return maps.Clone(features) }

// planFirstFeatures finalizes the levels of a new cluster: the newest.
func planFirstFeatures(s *state) (made changes) {
	if len(s.img.Features()) > 0 {
		return changes{}
	}
	for _, name := range slices.Sorted(maps.Keys(features)) {
		made.add(metadata.Put(metadata.FeatureKey(name), metadata.EncodeFeature(features[name].Max)))
	}
	return made
}

// planFeatures checks all updates before it makes any.
func planFeatures(s *state, updates []FeatureUpdate) (changes, error) {
	var made changes
	for _, u := range updates {
		if err := checkFeature(s, u); err != nil {
			return changes{}, err
		}
		if u.Level == 0 {
			made.add(metadata.Delete(metadata.FeatureKey(u.Name)))
			continue
		}
		made.add(metadata.Put(metadata.FeatureKey(u.Name), metadata.EncodeFeature(u.Level)))
	}
	return made, nil
}

func checkFeature(s *state, u FeatureUpdate) error {
	invalid := func(format string, args ...any) error {
		reason := refuse(nil, format, args...).Message
		return refuse(ErrInvalidUpdateVersion, "Invalid update version %d for feature %s. %s", u.Level, u.Name, reason)
	}
	current := s.img.Feature(u.Name)
	switch {
	case u.Downgrade < FeatureUpgrade || u.Downgrade > FeatureUnsafeDowngrade:
		return invalid("The controller does not support the given upgrade type.")
	case u.Level < 0:
		return invalid("A feature version cannot be less than 0.")
	}
	if reason := unsupported("Local controller", features, u); reason != "" {
		return invalid("%s", reason)
	}
	for _, b := range s.img.Brokers() {
		if reason := unsupported(refuse(nil, "Broker %d", b.ID).Message, b.Features, u); reason != "" {
			return invalid("%s", reason)
		}
	}
	switch {
	case u.Level < current && u.Downgrade == FeatureUpgrade:
		return invalid("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	case u.Level > current && u.Downgrade != FeatureUpgrade:
		return invalid("Can't downgrade to a newer version.")
	}
	return nil
}

// unsupported says why a node can't have a feature at a level.
func unsupported(node string, supported map[string]metadata.FeatureRange, u FeatureUpdate) string {
	levels, known := supported[u.Name]
	switch {
	case !known && u.Level == 0:
		return ""
	case !known:
		return refuse(nil, "%s does not support this feature.", node).Message
	case u.Level != 0 && (u.Level < levels.Min || u.Level > levels.Max),
		u.Level == 0 && levels.Min > 0:
		return refuse(nil, "%s only supports versions %d-%d", node, levels.Min, levels.Max).Message
	}
	return ""
}
