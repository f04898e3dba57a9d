package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
)

// The kinds of feature updates (KIP-584, KIP-778).
const (
	upgradeFeature         = 1
	downgradeFeature       = 2
	unsafeDowngradeFeature = 3
)

type featureInfo struct {
	Name      string `json:"name"`
	Min       int16  `json:"supportedMin"`
	Max       int16  `json:"supportedMax"`
	Finalized int16  `json:"finalized"`
	Epoch     int64  `json:"epoch"`
}

// features asks one broker for the features it supports and the finalized ones.
func (c *client) features(ctx context.Context, broker int32) ([]featureInfo, error) {
	_, resp, err := c.apiVersions(ctx, broker)
	if err != nil {
		return nil, err
	}
	finalized := map[string]int16{}
	for _, f := range resp.FinalizedFeatures {
		finalized[f.Name] = f.MaxVersionLevel
	}
	var all []featureInfo
	for _, f := range resp.SupportedFeatures {
		all = append(all, featureInfo{f.Name, f.MinVersion, f.MaxVersion, finalized[f.Name], resp.FinalizedFeaturesEpoch})
	}
	slices.SortFunc(all, func(a, b featureInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// someBroker is a broker to ask what all know.
func (c *client) someBroker(ctx context.Context) (int32, error) {
	ids, err := c.chosenBrokers(ctx, nil)
	if err == nil && len(ids) == 0 {
		err = errors.New("there is no broker to ask")
	}
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// updateFeatures changes the levels all together; each feature has its own answer.
func (c *client) updateFeatures(ctx context.Context, levels map[string]int16, kind int8, dryRun bool) (map[string]error, error) {
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.TimeoutMillis, req.ValidateOnly = int32(apiTimeout.Milliseconds()), dryRun
	for name, level := range levels {
		update := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		update.Feature, update.MaxVersionLevel, update.UpgradeType = name, level, kind
		update.AllowDowngrade = kind != upgradeFeature
		req.FeatureUpdates = append(req.FeatureUpdates, update)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	results := map[string]error{}
	for name := range levels {
		results[name] = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	for _, r := range resp.Results {
		if err := codeError(r.ErrorCode, r.ErrorMessage); err != nil {
			results[r.Feature] = err
		}
	}
	return results, nil
}

type featuresOptions struct {
	p *jopt.Parser
	connectOptions
	metadata, release, feature *jopt.Text
	node                       *jopt.Int
	unsafe, dryRun             *jopt.Flag
}

// runFeatures is kafka-features.
func runFeatures(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool shows and changes the levels of features:\n" +
		"kafka-features --bootstrap-server … " +
		"{describe,upgrade,downgrade,disable,version-mapping,feature-dependencies}")
	o := featuresOptions{
		p: p, connectOptions: newConnectOptions(p),
		metadata: p.Text("metadata", "version", "Deprecated: the metadata.version to go to, like "+
			"3.3-IV3."),
		release: p.Text("release-version", "version", "The release whose levels all features are to "+
			"have, like 4.0-IV3."),
		feature: p.Text("feature", "name=level", "A feature and its level; may be repeated. With "+
			"disable: only the name."),
		node:   p.Int("node-id", "broker id", "With describe: the broker to ask."),
		unsafe: p.Flag("unsafe", "Downgrade even where metadata is lost by it."),
		dryRun: p.Flag("dry-run", "Only check whether it could be done."),
	}
	o.bootstrap.Or("bootstrap-controller")
	if err := env.parse(p, args, "kafka-features: error: too few arguments"); err != nil {
		return err
	}
	what, err := action(p, "kafka-features", "describe", "upgrade", "downgrade", "disable", "version-mapping", "feature-dependencies")
	if err != nil {
		return p.Usagef("%v", err)
	}
	if err := jopt.Check(o.node, o.metadata, o.release); err != nil {
		return p.Usagef("%v", err)
	}
	switch what {
	case "version-mapping":
		err = o.printMapping(env)
	case "feature-dependencies":
		err = printDependencies(env, o.feature.Values())
	default:
		if err := o.required(); err != nil {
			return err
		}
		err = o.run(ctx, env, func(ctx context.Context, c *client) error {
			if what == "describe" {
				return o.describe(ctx, env, c)
			}
			return o.update(ctx, env, c, what)
		})
	}
	if err != nil {
		env.warnf("%s\n", errorText(err))
		return exitFailure
	}
	return nil
}

func (o *featuresOptions) describe(ctx context.Context, env *Env, c *client) error {
	broker := int32(o.node.Must())
	if !o.node.Set() {
		var err error
		if broker, err = c.someBroker(ctx); err != nil {
			return err
		}
	}
	features, err := c.features(ctx, broker)
	if err != nil {
		return err
	}
	for _, f := range features {
		env.printf("Feature: %-40s  SupportedMinVersion: %-15s  SupportedMaxVersion: %-15s  "+
			"FinalizedVersionLevel: %-15s  Epoch: %d\n",
			f.Name, levelText(f.Name, f.Min), levelText(f.Name, f.Max), levelText(f.Name,
				f.Finalized), f.Epoch)
	}
	return nil
}

// parseLevels reads name=level words, or names alone, which mean level 0.
func parseLevels(words []string, namesOnly bool) (map[string]int16, error) {
	levels := map[string]int16{}
	for _, word := range words {
		name, text, ok := strings.Cut(word, "=")
		var level int64
		switch {
		case namesOnly:
			name = word
		case !ok:
			return nil, sayf("Can't parse feature=level string %s: equals sign not found.", word)
		default:
			var err error
			if level, err = strconv.ParseInt(strings.TrimSpace(text), 10, 16); err != nil {
				return nil, sayf("Can't parse feature=level string %s: unable to parse %s as a short.", word,
					strings.TrimSpace(text))
			}
		}
		name = strings.TrimSpace(name)
		if _, twice := levels[name]; twice {
			return nil, sayf("Feature %s was specified more than once.", name)
		}
		levels[name] = int16(level)
	}
	return levels, nil
}

func (o *featuresOptions) levels(env *Env, what string) (map[string]int16, error) {
	if o.release.Set() {
		if o.metadata.Set() || o.feature.Set() {
			return nil, sayf("Can not specify `release-version` with other feature flags.")
		}
		levels, err := releaseLevels(o.release.Must())
		if err != nil {
			return nil, unknownMetadata(o.release.Must())
		}
		if what == "upgrade" {
			maps.DeleteFunc(levels, func(_ string, level int16) bool { return level == 0 })
		}
		return levels, nil
	}
	levels, err := parseLevels(o.feature.Values(), what == "disable")
	if err == nil && o.metadata.Set() {
		env.printf(" `metadata` flag is deprecated and may be removed in a future release.\n")
		if levels[metadataFeature], err = metadataLevel(o.metadata.Must()); err != nil {
			err = unknownMetadata(o.metadata.Must())
		}
	}
	if err == nil && len(levels) == 0 {
		err = sayf("You must specify at least one feature to %s", what)
	}
	return levels, err
}

func unknownMetadata(version string) error {
	return sayf("Unknown metadata.version '%s'. Supported metadata.version are: %s", version, strings.Join(metadataVersions, ", "))
}

func (o *featuresOptions) update(ctx context.Context, env *Env, c *client, what string) error {
	levels, err := o.levels(env, what)
	if err != nil {
		return err
	}
	kind := int8(upgradeFeature)
	if what != "upgrade" {
		kind = downgradeFeature
		if o.unsafe.Set() {
			kind = unsafeDowngradeFeature
		}
	}
	results, err := c.updateFeatures(ctx, levels, kind, o.dryRun.Set())
	if err != nil {
		return err
	}
	failed := 0
	for _, name := range slices.Sorted(maps.Keys(results)) {
		done, wish := what+"d to "+strconv.Itoa(int(levels[name]))+".", what+" "+name+" to "+strconv.Itoa(int(levels[name]))
		if what == "disable" {
			done, wish = "disabled.", "disable "+name
		}
		verb, not := " was ", "Could not "
		if o.dryRun.Set() {
			verb, not = " can be ", "Can not "
		}
		if err := results[name]; err != nil {
			failed++
			env.printf("%s%s. %s\n", not, wish, errorText(err))
		} else {
			env.printf("%s%s%s\n", name, verb, done)
		}
	}
	if failed > 0 {
		return sayf("%d out of %d operation(s) failed.", failed, len(levels))
	}
	return nil
}

// featuresCommand is `barnabas features`.
func featuresCommand(m *modern) *cobra.Command {
	cmd := &cobra.Command{Use: "features", Short: "Show and change the levels of features"}
	cmd.AddCommand(&cobra.Command{
		Use: "describe", Short: "Show supported and finalized levels", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				broker, err := c.someBroker(ctx)
				if err != nil {
					return err
				}
				features, err := c.features(ctx, broker)
				if err != nil {
					return err
				}
				return m.show(features, func(w *tabwriter.Writer) {
					fmt.Fprintln(w, "FEATURE\tMIN\tMAX\tFINALIZED")
					for _, f := range features {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, levelText(f.Name, f.Min), levelText(f.Name, f.Max),
							levelText(f.Name, f.Finalized))
					}
				})
			})
		},
	}, featuresUpdateCommand(m, "upgrade", upgradeFeature), featuresUpdateCommand(m, "downgrade", downgradeFeature))
	return cmd
}

func featuresUpdateCommand(m *modern, what string, kind int8) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: what + " NAME=LEVEL...", Short: strings.ToUpper(what[:1]) + what[1:] + " features", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			levels, err := parseLevels(args, false)
			if err != nil {
				return err
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				results, err := c.updateFeatures(ctx, levels, kind, dryRun)
				if err != nil {
					return err
				}
				for _, name := range slices.Sorted(maps.Keys(results)) {
					if err := results[name]; err != nil {
						return fmt.Errorf("%s: %s", name, errorText(err))
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only check whether it could be done")
	return cmd
}
