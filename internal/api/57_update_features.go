package api

import (
	"barnabas/internal/controller"

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
	err := a.Controller.UpdateFeatures(ctx, updates, request.ValidateOnly)
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

func upgradeType(version int16, u *kmsg.UpdateFeaturesRequestFeatureUpdate) controller.FeatureDowngrade {
	switch {
	case version >= 1:
		return controller.FeatureDowngrade(u.UpgradeType)
	case u.AllowDowngrade:
		return controller.FeatureSafeDowngrade
	}
	return controller.FeatureUpgrade
}
