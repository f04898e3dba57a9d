package controller

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planAlterConfigs changes dynamic settings: of each resource all that is asked, or nothing.
func planAlterConfigs(s *state, resources []AlterResource) ([]error, changes) {
	var made changes
	outcomes := make([]error, len(resources))
	count := make(map[metadata.Resource]int, len(resources))
	for _, r := range resources {
		count[r.Resource]++
	}
	for i, r := range resources {
		if count[r.Resource] > 1 {
			outcomes[i] = refuse(ErrInvalidRequest, "Each resource must appear at most once.")
			continue
		}
		current := s.img.Config(r.Resource)
		values, err := alterConfigs(s, r, current)
		if err != nil {
			outcomes[i] = err
			continue
		}
		// A broker reads files and keys anew when its settings are written, so they always are.
		if maps.Equal(values, current) && r.Resource.Type != metadata.BrokerResource {
			continue
		}
		made.add(putConfig(r.Resource, values))
	}
	return outcomes, made
}

func putConfig(r metadata.Resource, values map[string]string) metadata.Op {
	if len(values) == 0 {
		return metadata.Delete(metadata.ConfigKey(r))
	}
	return metadata.Put(metadata.ConfigKey(r), metadata.EncodeConfig(values))
}

// alterConfigs returns all settings of a resource after the change.
func alterConfigs(s *state, r AlterResource, current map[string]string) (map[string]string, error) {
	if err := checkChanges(r); err != nil {
		return nil, err
	}
	values := make(map[string]string, len(current)+len(r.Changes))
	if !r.Replace {
		maps.Copy(values, current)
	}
	for _, c := range r.Changes {
		if err := alterOne(r.Resource.Type, values, c); err != nil {
			return nil, err
		}
	}
	if err := checkResource(s, r, values); err != nil {
		return nil, err
	}
	return values, nil
}

// checkChanges looks at the form of the changes alone.
func checkChanges(r AlterResource) error {
	var null []string
	seen := make(map[string]bool, len(r.Changes))
	for _, c := range r.Changes {
		if seen[c.Name] {
			return refuse(ErrInvalidRequest, "Error due to duplicate config keys")
		}
		seen[c.Name] = true
		if c.Op < ConfigSet || c.Op > ConfigSubtract {
			return refuse(ErrInvalidRequest, "Unknown operations type %d", c.Op)
		}
		if c.Value == nil && c.Op != ConfigDelete {
			null = append(null, c.Name)
		}
	}
	if len(null) > 0 {
		return refuse(ErrInvalidRequest, "Null value not supported for : %s", strings.Join(null, ", "))
	}
	return nil
}

func alterOne(kind metadata.ResourceType, values map[string]string, c ConfigChange) error {
	switch c.Op {
	case ConfigSet:
		values[c.Name] = *c.Value
		return nil
	case ConfigDelete:
		delete(values, c.Name)
		return nil
	}
	def := settingOf(kind, c.Name)
	if def == nil || def.Kind != config.List {
		return refuse(ErrInvalidConfig, "Can't %s to key %s because its type is not LIST.",
			[...]string{ConfigAppend: "APPEND", ConfigSubtract: "SUBTRACT"}[c.Op], c.Name)
	}
	current, set := values[c.Name]
	if !set && !def.Null {
		current = def.Default
	}
	elements := slices.DeleteFunc(strings.Split(current, ","), func(e string) bool { return e == "" })
	for _, element := range strings.Split(*c.Value, ",") {
		i := slices.Index(elements, element)
		switch {
		case c.Op == ConfigAppend && i < 0:
			elements = append(elements, element)
		case c.Op == ConfigSubtract && i >= 0:
			elements = slices.Delete(elements, i, i+1)
		}
	}
	values[c.Name] = strings.Join(elements, ",")
	return nil
}

func settingOf(kind metadata.ResourceType, name string) *config.Def {
	switch kind {
	case metadata.TopicResource:
		return config.TopicSetting(name)
	case metadata.BrokerResource:
		return config.BrokerSetting(name)
	}
	return nil
}

// checkResource checks a resource and all the settings that it is to have.
func checkResource(s *state, r AlterResource, values map[string]string) error {
	switch name := r.Resource.Name; r.Resource.Type {
	case metadata.TopicResource:
		if name == "" {
			return refuse(ErrInvalidRequest, "Default topic resources are not allowed.")
		}
		if err := CheckTopicName(name); err != nil {
			return err
		}
		if err := checkTopicConfigs(s.view, values); err != nil {
			return err
		}
		if s.img.Topic(name) == nil {
			return refuse(ErrUnknownTopic, "The topic '%s' does not exist.", name)
		}
		return nil
	case metadata.BrokerResource:
		if err := checkBrokerName(s.img, name); err != nil {
			return err
		}
		return checkBrokerConfigs(s, name, values)
	case metadata.GroupResource:
		if name == "" {
			return refuse(ErrInvalidRequest, "Default group resources are not allowed.")
		}
		for _, setting := range slices.Sorted(maps.Keys(values)) {
			return refuse(ErrInvalidConfig, "Unknown group config name: %s", setting)
		}
		return nil
	case metadata.ClientMetricsResource:
		return checkSubscription(name, values)
	}
	return refuse(ErrInvalidRequest, "Unknown resource type %s", r.Resource.Type)
}

func checkBrokerName(img *metadata.Image, name string) error {
	if name == "" {
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return refuse(ErrInvalidRequest, "Unable to parse broker name as a base 10 number.")
	case id < 0:
		return refuse(ErrInvalidRequest, "Invalid negative broker ID.")
	case img.Broker(ident.BrokerID(id)) == nil:
		return refuse(ErrBrokerIDNotRegistered, "No broker with id %d found.", id)
	}
	return nil
}

// checkBrokerConfigs checks the dynamic settings of a broker, or of all brokers. Names that the table does not
// have are let through, as in Kafka, where plug-ins have settings of their own. What another broker's file says is
// not known here; the controller's stands for it.
func checkBrokerConfigs(s *state, name string, values map[string]string) error {
	err := config.CheckDynamic(values, name != "")
	if err == nil {
		all, one := values, map[string]string(nil)
		if name != "" {
			all, one = s.img.Config(metadata.Resource{Type: metadata.BrokerResource}), values
		}
		err = config.CheckTogether(s.view.WithDynamic(all, one))
	}
	if err != nil {
		return refuse(ErrInvalidRequest, "%s", err.Error())
	}
	return nil
}

// checkTopicConfigs checks all settings of a topic, together.
func checkTopicConfigs(view *config.View, values map[string]string) error {
	if err := config.CheckTopic(view, values); err != nil {
		return refuse(ErrInvalidConfig, "%s", err.Error())
	}
	return nil
}
