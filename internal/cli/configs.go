package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
)

// entityKind is a type of resource that has settings.
type entityKind struct {
	plural string // as --entity-type has it
	flag   string // the option that names one
	kind   kmsg.ConfigResourceType
	own    string // the source of the settings that were set for it
}

var entityKinds = []entityKind{
	{"topics", "topic", kmsg.ConfigResourceTypeTopic, "DYNAMIC_TOPIC_CONFIG"},
	{"brokers", "broker", kmsg.ConfigResourceTypeBroker, "DYNAMIC_BROKER_CONFIG"},
	{"broker-loggers", "broker-logger", kmsg.ConfigResourceTypeBrokerLogger, ""},
	{"client-metrics", "client-metrics", kmsg.ConfigResourceTypeClientMetrics, "DYNAMIC_CLIENT_METRICS_CONFIG"},
	{"groups", "group", kmsg.ConfigResourceTypeGroupConfig, "DYNAMIC_GROUP_CONFIG"},
}

// defaultBrokers is the source of settings for all brokers.
const defaultBrokers = "DYNAMIC_DEFAULT_BROKER_CONFIG"

type configsOptions struct {
	p *jopt.Parser
	connectOptions

	describe, alter, all, entityDefault, brokerDefaults *jopt.Flag
	add, addFile, remove, entityType, entityName        *jopt.Text
	named                                               map[string]*jopt.Text
}

func newConfigsOptions() *configsOptions {
	p := jopt.New("This tool shows and changes the settings of topics, brokers and groups.")
	o := &configsOptions{p: p, connectOptions: newConnectOptions(p), named: map[string]*jopt.Text{}}
	o.bootstrap.Or("bootstrap-controller")
	o.describe = p.Flag("describe", "Show settings.")
	o.alter = p.Flag("alter", "Change settings.")
	o.all = p.Flag("all", "Show all settings, those from files and defaults too.")
	o.add = p.Text("add-config", "k1=v1,k2=[v1,v2]", "Settings to set; square brackets around a "+
		"value with commas.")
	o.addFile = p.Text("add-config-file", "file", "A properties file with settings to set.")
	o.remove = p.Text("delete-config", "k1,k2", "Settings to remove; may be repeated.")
	o.entityType = p.Text("entity-type", "type", "topics, brokers, broker-loggers, client-metrics "+
		"or groups.")
	o.entityName = p.Text("entity-name", "name", "The topic's name, the broker's id, the group's id.")
	o.entityDefault = p.Flag("entity-default", "With --entity-type brokers: the settings for all "+
		"brokers.")
	o.brokerDefaults = p.Flag("broker-defaults", "The settings for all brokers.")
	for _, kind := range entityKinds {
		o.named[kind.plural] = p.Text(kind.flag, kind.flag, "The "+kind.flag+" whose settings are meant.")
	}
	return o
}

// entity is what is shown or changed; without a name all of that kind.
type entity struct {
	entityKind
	name  string
	named bool
}

func (o *configsOptions) entity() (entity, error) {
	specific := []entity{}
	if o.brokerDefaults.Set() {
		specific = append(specific, entity{entityKinds[1], "", true})
	}
	for _, kind := range entityKinds {
		if option := o.named[kind.plural]; option.Set() {
			specific = append(specific, entity{kind, option.Must(), true})
		}
	}
	general := o.entityType.Set() || o.entityName.Set() || o.entityDefault.Set()
	switch {
	case len(specific) == 0 && !o.entityType.Set():
		return entity{}, sayf("At least one entity type must be specified")
	case len(specific) > 0 && general:
		return entity{}, errors.New("--entity-{type,name,default} should not be used in conjunction " +
			"with specific entity flags")
	case len(specific) > 1:
		return entity{}, sayf("Only 'users' and 'clients' entity types may be specified together")
	case len(specific) == 1:
		return specific[0], nil
	}
	kindName := o.entityType.Must()
	i := slices.IndexFunc(entityKinds, func(k entityKind) bool { return k.plural == kindName })
	if i < 0 {
		return entity{}, sayf("Invalid entity type %s, the entity type must be one of topics, brokers, "+
			"broker-loggers, client-metrics, groups with a --bootstrap-server or --bootstrap-controller "+
			"argument", kindName)
	}
	e := entity{entityKinds[i], o.entityName.Must(), o.entityName.Set()}
	if o.entityDefault.Set() {
		if e.plural != "brokers" {
			return e, fmt.Errorf("--entity-default must not be specified with --describe of %s", e.plural)
		}
		e.name, e.named = "", true
	}
	return e, nil
}

func (o *configsOptions) check(e entity) error {
	if e.named && e.name != "" && strings.HasPrefix(e.plural, "broker") {
		if _, err := strconv.ParseInt(e.name, 10, 32); err != nil {
			return sayf("The entity name for %s must be a valid integer broker id, but it is: %s", e.plural,
				e.name)
		}
	}
	if o.describe.Set() {
		if e.plural == "broker-loggers" && !e.named {
			return sayf("An entity name must be specified with --describe of broker-loggers")
		}
		return nil
	}
	switch {
	case e.plural == "brokers" && !e.named:
		return sayf("An entity-name or default entity must be specified with --alter of users, " +
			"clients, brokers or ips")
	case e.plural != "brokers" && e.name == "":
		return sayf("An entity name must be specified with --alter of %s", e.plural)
	case o.add.Set() && o.addFile.Set():
		return sayf("Only one of --add-config or --add-config-file must be specified")
	case jopt.Count(o.add, o.addFile, o.remove) == 0:
		return sayf("At least one of --add-config, --add-config-file, or --delete-config must be " +
			"specified with --alter")
	}
	return nil
}

// runConfigs is kafka-configs.
func runConfigs(ctx context.Context, env *Env, args []string) error {
	o := newConfigsOptions()
	if err := env.parse(o.p, args, o.p.Intro); err != nil {
		return err
	}
	if err := o.p.ExactlyOne("Command must include exactly one action: --describe, --alter", o.alter, o.describe); err != nil {
		return err
	}
	if err := o.p.Exclusive(o.describe, o.alter, o.add, o.remove); err != nil {
		return err
	}
	e, err := o.entity()
	if err == nil {
		err = jopt.Check(o.bootstrap, o.zookeeper, o.config, o.add, o.addFile, o.entityType, o.entityName)
	}
	if err == nil && !o.bootstrap.Set() && !o.zookeeper.Set() {
		err = sayf("Either --bootstrap-server or --bootstrap-controller must be specified.")
	}
	if err == nil {
		err = o.check(e)
	}
	if err != nil {
		env.warnf("%s\n", err)
		return exitFailure
	}
	err = o.run(ctx, env, func(ctx context.Context, c *client) error {
		if o.describe.Set() {
			return c.printConfigs(ctx, env, e, o.all.Set())
		}
		return o.alterConfigs(ctx, env, c, e)
	})
	var server *serverError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &server):
		env.warnf("Error while executing config command with args '%s'\n", strings.Join(args, " "))
		env.warnf("java.util.concurrent.ExecutionException: %s: %s\n", javaClass(err), errorText(err))
		return exitFailure
	}
	env.warnf("%s\n", errorText(err))
	return exitFailure
}

func (c *client) printConfigs(ctx context.Context, env *Env, e entity, all bool) error {
	there, err := c.exists(ctx, e)
	if err != nil {
		return err
	}
	if !there {
		env.printf("The %s '%s' doesn't exist and doesn't have dynamic config.\n", strings.TrimSuffix(e.plural, "s"), e.name)
		return nil
	}
	names, err := c.entityNames(ctx, e)
	if err != nil {
		return err
	}
	for _, name := range names {
		configs, err := c.ownConfigs(ctx, e, name, all)
		if err != nil {
			return err
		}
		which := "Dynamic"
		if all {
			which = "All"
		}
		if name == "" {
			env.printf("Default configs for %s in the cluster are:\n", e.plural)
		} else {
			env.printf("%s configs for %s %s are:\n", which, strings.TrimSuffix(e.plural, "s"), name)
		}
		slices.SortFunc(configs, func(a, b configEntry) int { return strings.Compare(a.Name, b.Name) })
		for _, config := range configs {
			words := make([]string, len(config.Synonyms))
			for i, s := range config.Synonyms {
				words[i] = s.Source + ":" + s.Name + "=" + s.Value
			}
			env.printf("  %s=%s sensitive=%t synonyms={%s}\n", config.Name, config.Value, config.Sensitive,
				strings.Join(words, ", "))
		}
	}
	return nil
}

// exists reports whether what is named is there. What all brokers share always is; of loggers their broker says it.
func (c *client) exists(ctx context.Context, e entity) (bool, error) {
	if !e.named || e.plural == "brokers" && e.name == "" || e.plural == "broker-loggers" {
		return true, nil
	}
	e.named = false
	names, err := c.entityNames(ctx, e)
	return slices.Contains(names, e.name), err
}

// entityNames are the names to show when none was given.
func (c *client) entityNames(ctx context.Context, e entity) ([]string, error) {
	if e.named {
		return []string{e.name}, nil
	}
	switch e.plural {
	case "topics":
		return c.topicNames(ctx, "", false)
	case "brokers":
		ids, err := c.chosenBrokers(ctx, nil)
		names := make([]string, 0, len(ids)+1)
		for _, id := range ids {
			names = append(names, strconv.Itoa(int(id)))
		}
		return append(names, ""), err
	}
	req := kmsg.NewPtrListConfigResourcesRequest()
	req.ResourceTypes = []int8{int8(e.kind)}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range resp.ConfigResources {
		names = append(names, r.Name)
	}
	if err := codeError(resp.ErrorCode, nil); err != nil || e.plural != "groups" {
		slices.Sort(names)
		return names, err
	}
	groups, err := c.listGroups(ctx, nil, nil)
	for _, g := range groups {
		names = append(names, g.Group)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// ownConfigs are the settings that were set for the entity itself, or all.
func (c *client) ownConfigs(ctx context.Context, e entity, name string, all bool) ([]configEntry, error) {
	configs, err := c.describeConfigs(ctx, resource{e.kind, name})
	if err != nil || all || e.own == "" {
		return configs, err
	}
	source := e.own
	if e.plural == "brokers" && name == "" {
		source = defaultBrokers
	}
	return slices.DeleteFunc(configs, func(config configEntry) bool { return config.Source != source }), nil
}

var configKey = regexp.MustCompile(`^[a-zA-Z0-9._-]*$`)

// parseAddConfig reads k1=v1,k2=[v1,v2]: commas and equal signs within brackets belong to a value.
func parseAddConfig(text string) (map[string]string, error) {
	values := map[string]string{}
	depth, start := 0, 0
	var parts []string
	for i, c := range text {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ',' && depth <= 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	for _, part := range append(parts, text[start:]) {
		key, value, ok := strings.Cut(part, "=")
		if !ok || strings.Contains(strings.Split(value, "[")[0], "=") {
			return nil, sayf(`requirement failed: Invalid entity config: all configs to be added must be in the format "key=val" or  "key=[val1,val2]" to group values which contain commas.`)
		}
		values[strings.TrimSpace(key)] = strings.TrimSpace(strings.NewReplacer("[", "", "]", "").Replace(value))
	}
	return values, checkKeys(values)
}

func checkKeys(values map[string]string) error {
	for key := range values {
		if !configKey.MatchString(key) {
			return sayf("Invalid character found for config key: %s", key)
		}
	}
	return nil
}

func (o *configsOptions) alterConfigs(ctx context.Context, env *Env, c *client, e entity) error {
	set := map[string]string{}
	var err error
	switch {
	case o.add.Set():
		set, err = parseAddConfig(o.add.Must())
	case o.addFile.Set():
		if set, err = loadProperties(o.addFile.Must()); err == nil {
			err = checkKeys(set)
		}
	}
	if err != nil {
		return err
	}
	var remove []string
	for _, list := range o.remove.Values() {
		remove = append(remove, splitList(list)...)
	}
	if err := c.changeConfigs(ctx, resource{e.kind, e.name}, set, remove); err != nil {
		return err
	}
	if e.name == "" {
		env.printf("Completed updating default config for %s in the cluster.\n", e.plural)
	} else {
		env.printf("Completed updating config for %s %s.\n", strings.TrimSuffix(e.plural, "s"), e.name)
	}
	return nil
}

// changeConfigs sets and removes settings and leaves the others as they are (KIP-339).
func (c *client) changeConfigs(ctx context.Context, r resource, set map[string]string, remove []string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	one := kmsg.NewIncrementalAlterConfigsRequestResource()
	one.ResourceType, one.ResourceName = r.kind, r.name
	for key, value := range set {
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Op, config.Value = key, kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr(value)
		one.Configs = append(one.Configs, config)
	}
	for _, key := range remove {
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Op = key, kmsg.IncrementalAlterConfigOpDelete
		one.Configs = append(one.Configs, config)
	}
	req.Resources = append(req.Resources, one)
	for _, shard := range c.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return shard.Err
		}
		for _, answer := range shard.Resp.(*kmsg.IncrementalAlterConfigsResponse).Resources {
			if err := codeError(answer.ErrorCode, answer.ErrorMessage); err != nil {
				return err
			}
		}
	}
	return nil
}
