package api

import (
	"barnabas/internal/controller"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UpdateFeatures 0-2 (KIP-584). Version 1 has upgrade types in the place of a flag, and validates only if asked to; 2 has no
// results of single features. All updates are made or none.

func (a *API) updateFeatures(c *Call, request *kmsg.UpdateFeaturesRequest) *kmsg.UpdateFeaturesResponse {
	response := kmsg.NewPtrUpdateFeaturesResponse()
	updates := make([]controller.FeatureUpdate, len(request.FeatureUpdates))
	for i, u := range request.FeatureUpdates {
		updates[i] = controller.FeatureUpdate{
			Name: u.Feature, Level: u.MaxVersionLevel, Downgrade: upgradeType(c.Header.Version, &u),
		}
	}
	ctx, cancel := within(request.TimeoutMillis)
	defer cancel()
	err := unheardOfFeature(updates)
	if err == nil {
		err = a.Controller.UpdateFeatures(ctx, updates, request.ValidateOnly)
	}
	if codeOf(err) == kerr.InvalidUpdateVersion.Code {
		err = refuse(kerr.InvalidUpdateVersion, "The update failed for all features since the following feature had an error: %s", err)
	}
	response.ErrorCode, response.ErrorMessage = codeOf(err), messageOf(err)
	if c.Header.Version > 1 || err != nil {
		return response
	}
	for _, u := range updates {
		result := kmsg.NewUpdateFeaturesResponseResult()
		result.Feature = u.Name
		response.Results = append(response.Results, result)
	}
	return response
}

// kafkaFeatures are those of Kafka that are not offered here: they are at level 0, and may be put there.
var kafkaFeatures = map[string]bool{
	"eligible.leader.replicas.version": true, "group.version": true, "kraft.version": true, "share.version": true,
	"streams.version": true, "transaction.version": true,
}

// unheardOfFeature refuses to take away a feature that neither Kafka nor this release has: its name is misspelt.
func unheardOfFeature(updates []controller.FeatureUpdate) error {
	supported := controller.SupportedFeatures()
	for _, u := range updates {
		if _, ours := supported[u.Name]; u.Level == 0 && !ours && !kafkaFeatures[u.Name] {
			return refuse(kerr.InvalidUpdateVersion, "Invalid update version 0 for feature %s. Feature %s not found.", u.Name, u.Name)
		}
	}
	return nil
}

func upgradeType(version int16, u *kmsg.UpdateFeaturesRequestFeatureUpdate) controller.FeatureDowngrade {
	switch {
	case version >= 1:
		return controller.FeatureDowngrade(u.UpgradeType)
	case u.AllowDowngrade:
		return controller.FeatureSafeDowngrade
	}
	return controller.FeatureUpgrade
}
