package cli

import (
	"context"

	"barnabas/internal/cli/jopt"
)

// connectOptions are the options by which an administrative tool finds its cluster.
type connectOptions struct {
	p                            *jopt.Parser
	bootstrap, zookeeper, config *jopt.Text
}

func newConnectOptions(p *jopt.Parser) connectOptions {
	return connectOptions{
		p: p,
		bootstrap: p.Text("bootstrap-server", "host:port,…", "REQUIRED, unless --zookeeper is given: "+
			"the brokers to connect to."),
		zookeeper: p.Text("zookeeper", "host:port,…", "The keepers to learn the brokers from."),
		config:    p.Text("command-config", "file", "Client properties, for example for security."),
	}
}

// required says that a cluster has to be named.
func (o connectOptions) required() error {
	if o.bootstrap.Set() || o.zookeeper.Set() {
		return jopt.Check(o.bootstrap, o.zookeeper, o.config)
	}
	return o.p.Required(o.bootstrap)
}

// run calls f with a client of the cluster, once a broker answers, and a context bounded by
// default.api.timeout.ms.
func (o connectOptions) run(ctx context.Context, env *Env, f func(ctx context.Context, c *client) error) error {
	c, err := env.connect(ctx, target{
		bootstrap: o.bootstrap.Must(), zookeeper: o.zookeeper.Must(), config: o.config.Must(),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	if err := c.await(ctx); err != nil {
		return err
	}
	return f(ctx, c)
}
