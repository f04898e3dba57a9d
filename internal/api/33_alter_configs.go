package api

import (
	"strconv"
	"strings"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs 0-2: what a resource is given here replaces all settings it had; IncrementalAlterConfigs (44) is the
// better way (KIP-339). Version 2 is flexible.

func (a *API) alterConfigs(c *Call, request *kmsg.AlterConfigsRequest) *kmsg.AlterConfigsResponse {
	alter := newAlteration(a, c, len(request.Resources))
	for _, r := range request.Resources {
		changes := make([]controller.ConfigChange, len(r.Configs))
		for j, entry := range r.Configs {
			changes[j] = controller.ConfigChange{Name: entry.Name, Op: controller.ConfigSet, Value: entry.Value}
		}
		alter.add(r.ResourceType, r.ResourceName, changes, true)
	}
	response := kmsg.NewPtrAlterConfigsResponse()
	for i, err := range alter.run(request.ValidateOnly) {
		answer := kmsg.NewAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = request.Resources[i].ResourceType, request.Resources[i].ResourceName
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), messageOf(err)
		response.Resources = append(response.Resources, answer)
	}
	return response
}

// alteration gathers the resources of a request, those refused before the controller is asked among them.
type alteration struct {
	api      *API
	call     *Call
	outcomes []error
	asked    []int // where each of wanted stands in outcomes
	wanted   []controller.AlterResource
}

func newAlteration(a *API, c *Call, resources int) *alteration {
	return &alteration{api: a, call: c, outcomes: make([]error, 0, resources)}
}

func (alter *alteration) add(kind kmsg.ConfigResourceType, name string, changes []controller.ConfigChange, replace bool) {
	err := alter.check(kind, name, changes, replace)
	if err == nil && kind != kmsg.ConfigResourceTypeBrokerLogger {
		resource, _ := resourceOf(kind, name)
		alter.asked = append(alter.asked, len(alter.outcomes))
		alter.wanted = append(alter.wanted, controller.AlterResource{
			Resource: resource, Changes: changes, Replace: replace,
		})
	}
	alter.outcomes = append(alter.outcomes, err)
}

func (alter *alteration) check(
	kind kmsg.ConfigResourceType, name string, changes []controller.ConfigChange, replace bool,
) error {
	if null := withoutValue(changes); len(null) > 0 {
		return refuse(kerr.InvalidRequest, "Null value not supported for : %s", strings.Join(null, ", "))
	}
	switch {
	case kind == kmsg.ConfigResourceTypeBrokerLogger && !replace:
		return alter.checkLogger(name, changes)
	case kind == kmsg.ConfigResourceTypeBroker:
		if err := alter.checkBroker(name, changes); err != nil {
			return err
		}
	}
	resource, known := resourceOf(kind, name)
	switch {
	case !known:
		return refuse(kerr.InvalidRequest, "Unknown resource type %d", kind)
	case !alter.api.authorized(alter.call, opAlterConfigs, resource.Type, name):
		return kerr.ClusterAuthorizationFailed
	}
	return nil
}

// withoutValue names the settings that are to have a value and come without one.
func withoutValue(changes []controller.ConfigChange) (names []string) {
	for _, c := range changes {
		if c.Value == nil && c.Op != controller.ConfigDelete {
			names = append(names, c.Name)
		}
	}
	return names
}

// checkOwnName wants the number of the broker that was asked: each checks what is set for itself. What came in an envelope was asked of
// another broker, and what a keeper asks, which has no broker to choose, of the controller.
func (alter *alteration) checkOwnName(kind kmsg.ConfigResourceType, name string) error {
	switch alter.call.exchange.(type) {
	case *enclosed, *question:
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	switch own := alter.api.Broker; {
	case err != nil:
		return refuse(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", name)
	case id != int64(own) && kind == kmsg.ConfigResourceTypeBrokerLogger:
		return refuse(kerr.InvalidRequest, "Unexpected node id. Expected %d, but received %s", own, name)
	case id != int64(own):
		return refuse(kerr.InvalidRequest, "Unexpected broker id, expected %d, but received %s", own, name)
	}
	return nil
}

// checkBroker looks at changes of one broker's settings or, without a name, of what all share.
func (alter *alteration) checkBroker(name string, changes []controller.ConfigChange) error {
	if name != "" {
		if err := alter.checkOwnName(kmsg.ConfigResourceTypeBroker, name); err != nil {
			return err
		}
	}
	return checkLists(changes)
}

// checkLists refuses to append to a broker's setting that is no list, or to subtract from it. Of topics' settings the controller says it.
func checkLists(changes []controller.ConfigChange) error {
	for _, c := range changes {
		verb := "append"
		switch c.Op {
		case controller.ConfigAppend:
		case controller.ConfigSubtract:
			verb = "subtract"
		default:
			continue
		}
		if setting := config.BrokerSetting(c.Name); setting != nil && setting.Kind != config.List {
			return refuse(kerr.InvalidConfig, "Config value %s is not allowed for config key: %s", verb, c.Name)
		}
	}
	return nil
}

// checkLogger finds none of the loggers: there are none by Kafka's names here.
func (alter *alteration) checkLogger(name string, changes []controller.ConfigChange) error {
	if err := alter.checkOwnName(kmsg.ConfigResourceTypeBrokerLogger, name); err != nil || len(changes) == 0 {
		return err
	}
	return refuse(kerr.InvalidConfig, "Logger %s does not exist!", changes[0].Name)
}

// run asks the controller and returns the outcomes in the order of the resources.
func (alter *alteration) run(validateOnly bool) []error {
	if len(alter.wanted) == 0 {
		return alter.outcomes
	}
	ctx, cancel := alter.api.withinDefault()
	defer cancel()
	outcomes, err := alter.api.Controller.AlterConfigs(ctx, alter.wanted, validateOnly)
	for i, at := range alter.asked {
		alter.outcomes[at] = err
		if err == nil {
			alter.outcomes[at] = outcomes[i]
		}
		if !validateOnly && alter.outcomes[at] == nil {
			alter.mention(alter.wanted[i])
		}
	}
	return alter.outcomes
}

// mention says of a subscription to clients' metrics (KIP-714) what its maker would not see: as with a Kafka that has no plug-in for
// them, no client is asked for any, because the keys for that are not served.
func (alter *alteration) mention(r controller.AlterResource) {
	if r.Resource.Type == metadata.ClientMetricsResource && len(r.Changes) > 0 {
		alter.call.logger().Warn("a subscription to clients' metrics was changed; it is kept and described, but no client pushes metrics here",
			"subscription", r.Resource.Name)
	}
}
