package kubelet

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// environment is the image's variables, those that name Services, those of whole maps, and the container's own.
func (c *container) environment() ([]string, error) {
	pod := c.pod.Object
	env := slices.Clone(c.pod.machine.Image.Config.Env)
	env = append(env, c.pod.machine.Cluster.ServiceLinks(pod.Namespace, *pod.Spec.EnableServiceLinks)...)
	env = append(env, "HOSTNAME="+c.pod.hostname())
	for _, from := range c.spec.EnvFrom {
		data, err := c.pod.source(from.ConfigMapRef, from.SecretRef)
		if err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(data)) {
			env = append(env, from.Prefix+key+"="+string(data[key]))
		}
	}
	for _, v := range c.spec.Env {
		value := expand(v.Value, lookup(env))
		if v.ValueFrom != nil {
			var there bool
			var err error
			if value, there, err = c.valueFrom(v.ValueFrom); err != nil {
				return nil, fmt.Errorf("variable %s: %w", v.Name, err)
			} else if !there {
				continue
			}
		}
		env = append(env, v.Name+"="+value)
	}
	return last(env), nil
}

// last keeps the last word on every variable.
func last(env []string) []string {
	at := map[string]int{}
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if i, there := at[name]; there {
			out[i] = v
			continue
		}
		at[name] = len(out)
		out = append(out, v)
	}
	return out
}

func lookup(env []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, v := range slices.Backward(env) {
			if n, value, _ := strings.Cut(v, "="); n == name {
				return value, true
			}
		}
		return "", false
	}
}

// expand replaces $(NAME) where NAME is known; $$ stands for a dollar.
func expand(text string, known func(string) (string, bool)) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		if strings.HasPrefix(rest, "$$") {
			out.WriteByte('$')
			i++
			continue
		}
		end := strings.IndexByte(rest, ')')
		if strings.HasPrefix(rest, "$(") && end > 0 {
			if value, there := known(rest[2:end]); there {
				out.WriteString(value)
				i += end
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

func (c *container) valueFrom(from *corev1.EnvVarSource) (value string, there bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = c.pod.field(from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = c.resource(from.ResourceFieldRef)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		return c.pod.key(from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key, false, from.ConfigMapKeyRef.Optional)
	case from.SecretKeyRef != nil:
		return c.pod.key(from.SecretKeyRef.Name, from.SecretKeyRef.Key, true, from.SecretKeyRef.Optional)
	}
	return "", false, fmt.Errorf("a source this harness does not have: %v", from)
}

func (p *Pod) key(name, key string, secret bool, optional *bool) (string, bool, error) {
	data, there := p.machine.Cluster.Config(p.Object.Namespace, name, secret)
	value, has := data[key]
	if (!there || !has) && (optional == nil || !*optional) {
		return "", false, fmt.Errorf("%s has no key %s, or is not there", name, key)
	}
	return string(value), has, nil
}

func (p *Pod) source(config *corev1.ConfigMapEnvSource, secret *corev1.SecretEnvSource) (map[string][]byte, error) {
	name, optional := "", (*bool)(nil)
	if config != nil {
		name, optional = config.Name, config.Optional
	} else {
		name, optional = secret.Name, secret.Optional
	}
	data, there := p.machine.Cluster.Config(p.Object.Namespace, name, secret != nil)
	if !there && (optional == nil || !*optional) {
		return nil, fmt.Errorf("%s is not there", name)
	}
	return data, nil
}

func (p *Pod) hostname() string {
	if p.Object.Spec.Hostname != "" {
		return p.Object.Spec.Hostname
	}
	return p.Object.Name
}

// field is the downward API's.
func (p *Pod) field(path string) (string, error) {
	for prefix, values := range map[string]map[string]string{"metadata.labels['": p.Object.Labels, "metadata.annotations['": p.Object.Annotations} {
		if key, found := strings.CutPrefix(path, prefix); found {
			return values[strings.TrimSuffix(key, "']")], nil
		}
	}
	switch path {
	case "metadata.name":
		return p.Object.Name, nil
	case "metadata.namespace":
		return p.Object.Namespace, nil
	case "metadata.uid":
		return string(p.Object.UID), nil
	case "spec.nodeName":
		return p.machine.Host.Name, nil
	case "spec.serviceAccountName":
		return p.Object.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return p.machine.Host.Address.String(), nil
	case "status.podIP", "status.podIPs":
		return p.wire.Address.String(), nil
	}
	return "", fmt.Errorf("there is no field %s", path)
}

// resource is a request or limit, in the divisor's unit, rounded up.
func (c *container) resource(ref *corev1.ResourceFieldSelector) (string, error) {
	which, name, _ := strings.Cut(ref.Resource, ".")
	list := c.spec.Resources.Requests
	if which == "limits" {
		list = c.spec.Resources.Limits
	}
	amount, there := list[corev1.ResourceName(name)]
	if !there {
		return "", fmt.Errorf("container %s has no %s", c.spec.Name, ref.Resource)
	}
	divisor := ref.Divisor.Value()
	if divisor == 0 {
		divisor = 1
	}
	return strconv.FormatInt((amount.Value()+divisor-1)/divisor, 10), nil
}
