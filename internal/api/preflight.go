package api

import (
	"strconv"

	"barnabas/internal/controller"
	"barnabas/internal/metadata"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// alterIncrementally looks at what concerns this broker's files before the request goes to the controller.
func (a *API) alterIncrementally(c *Call, body []byte) {
	c.exchange.Keep()
	request, err := wire.Decode(c.Header, body)
	if err != nil {
		c.exchange.Abort(err)
		return
	}
	alter := request.(*kmsg.IncrementalAlterConfigsRequest)
	switch {
	case a.preflight(c, alter):
	case a.elsewhere(c):
		a.forward(c, alter, func(a *API) { c.Reply(a.incrementalAlterConfigs(c, alter)) })
	default:
		c.Reply(a.incrementalAlterConfigs(c, alter))
	}
}

// preflight refuses changes of this broker's own settings that it could not carry out: a key store that can't be read here. The controller,
// to which the rest goes, can't look at this broker's files. It reports whether it has answered; then nothing of the request is done.
func (a *API) preflight(c *Call, alter *kmsg.IncrementalAlterConfigsRequest) (answered bool) {
	if _, came := c.exchange.(*enclosed); came || a.CheckSettings == nil {
		return false
	}
	refused := make([]error, len(alter.Resources))
	for i, r := range alter.Resources {
		if r.ResourceType != kmsg.ConfigResourceTypeBroker || r.ResourceName != strconv.Itoa(int(a.Broker)) {
			continue
		}
		changes := map[string]*string{}
		for _, entry := range r.Configs {
			switch controller.ConfigOp(entry.Op) {
			case controller.ConfigSet:
				changes[entry.Name] = entry.Value
			case controller.ConfigDelete:
				changes[entry.Name] = nil
			}
		}
		own := a.Metadata.Current().Config(metadata.Resource{Type: metadata.BrokerResource, Name: r.ResourceName})
		if err := a.CheckSettings(own, changes); err != nil {
			refused[i], answered = refuse(kerr.InvalidRequest, "%s", err), true
		}
	}
	if !answered {
		return false
	}
	for i, err := range refused {
		if err == nil {
			refused[i] = refuse(kerr.InvalidRequest, "Not changed, for another resource of the request was refused.")
		}
	}
	c.Reply(incrementallyAltered(alter, refused))
	return true
}
