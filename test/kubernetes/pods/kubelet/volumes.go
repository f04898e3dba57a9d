package kubelet

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// volume is a directory that containers may mount.
type volume struct {
	name    string
	dir     string
	mounted bool // a file system in memory
	// content, unless nil, is read again and again: what a map holds now.
	content func() (map[string][]byte, error)
	shown   map[string][]byte
	version int
}

func (p *Pod) makeVolumes() error {
	var made []volume
	for _, v := range p.Object.Spec.Volumes {
		one, err := p.makeVolume(v)
		if err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
		made = append(made, one)
	}
	if automount := p.Object.Spec.AutomountServiceAccountToken; automount == nil || *automount {
		account := volume{name: accountVolume, dir: filepath.Join(p.dir, "volumes", accountVolume)}
		account.content = func() (map[string][]byte, error) { return p.machine.Cluster.Account(p.Object), nil }
		if err := os.MkdirAll(account.dir, 0o777); err != nil {
			return err
		}
		if err := account.show(); err != nil {
			return fmt.Errorf("the service account: %w", err)
		}
		made = append(made, account)
	}
	p.files.Lock()
	p.volumes = made
	p.files.Unlock()
	return nil
}

// accountVolume is mounted into every container where accounts are looked for.
const (
	accountVolume = "kube-api-access"
	accountDir    = "/var/run/secrets/kubernetes.io/serviceaccount"
)

func (p *Pod) makeVolume(v corev1.Volume) (volume, error) {
	made := volume{name: v.Name, dir: filepath.Join(p.dir, "volumes", v.Name)}
	if err := os.MkdirAll(made.dir, 0o777); err != nil {
		return made, err
	}
	switch {
	case v.EmptyDir != nil:
		if v.EmptyDir.Medium == corev1.StorageMediumMemory && !isMounted(made.dir) {
			size := "size=50%"
			if v.EmptyDir.SizeLimit != nil {
				size = "size=" + strconv.FormatInt(v.EmptyDir.SizeLimit.Value(), 10)
			}
			if err := syscall.Mount("tmpfs", made.dir, "tmpfs", 0, size); err != nil {
				return made, err
			}
		}
		made.mounted = v.EmptyDir.Medium == corev1.StorageMediumMemory
		return made, p.open(made.dir)
	case v.PersistentVolumeClaim != nil:
		dir, there := p.claims[v.PersistentVolumeClaim.ClaimName]
		if !there {
			return made, fmt.Errorf("there is no claim %s", v.PersistentVolumeClaim.ClaimName)
		}
		made.dir = dir
		if err := os.MkdirAll(dir, 0o777); err != nil { // empty when it is first claimed
			return made, err
		}
		return made, p.open(made.dir)
	case v.ConfigMap != nil:
		made.content = func() (map[string][]byte, error) {
			return p.items(v.ConfigMap.Name, false, v.ConfigMap.Items, v.ConfigMap.Optional)
		}
	case v.Secret != nil:
		made.content = func() (map[string][]byte, error) {
			return p.items(v.Secret.SecretName, true, v.Secret.Items, v.Secret.Optional)
		}
	case v.DownwardAPI != nil:
		made.content = func() (map[string][]byte, error) { return p.downward(v.DownwardAPI.Items) }
	case v.Projected != nil:
		made.content = func() (map[string][]byte, error) { return p.projected(v.Projected.Sources) }
	default:
		return made, errors.New("this harness has no such kind of volume")
	}
	return made, made.show()
}

// open lets the pod's user write into a volume: all may, and the pod's group owns it where one is asked for.
func (p *Pod) open(dir string) error {
	if context := p.Object.Spec.SecurityContext; context != nil && context.FSGroup != nil {
		if err := os.Chown(dir, -1, int(*context.FSGroup)); err != nil {
			return err
		}
		return os.Chmod(dir, 0o777|os.ModeSetgid)
	}
	return os.Chmod(dir, 0o777)
}

func isMounted(dir string) bool {
	var own, above syscall.Stat_t
	return syscall.Stat(dir, &own) == nil && syscall.Stat(filepath.Dir(dir), &above) == nil && own.Dev != above.Dev
}

func (p *Pod) items(name string, secret bool, items []corev1.KeyToPath, optional *bool) (map[string][]byte, error) {
	data, there := p.machine.Cluster.Config(p.Object.Namespace, name, secret)
	if !there && (optional == nil || !*optional) {
		return nil, fmt.Errorf("%s is not there", name)
	}
	if len(items) == 0 {
		return data, nil
	}
	chosen := map[string][]byte{}
	for _, item := range items {
		value, has := data[item.Key]
		if !has && (optional == nil || !*optional) {
			return nil, fmt.Errorf("%s has no key %s", name, item.Key)
		}
		chosen[item.Path] = value
	}
	return chosen, nil
}

func (p *Pod) downward(items []corev1.DownwardAPIVolumeFile) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, item := range items {
		if item.FieldRef == nil {
			return nil, fmt.Errorf("%s: only fields are for this harness", item.Path)
		}
		value, err := p.field(item.FieldRef.FieldPath)
		if err != nil {
			return nil, err
		}
		out[item.Path] = []byte(value)
	}
	return out, nil
}

func (p *Pod) projected(sources []corev1.VolumeProjection) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, s := range sources {
		var part map[string][]byte
		var err error
		switch {
		case s.ConfigMap != nil:
			part, err = p.items(s.ConfigMap.Name, false, s.ConfigMap.Items, s.ConfigMap.Optional)
		case s.Secret != nil:
			part, err = p.items(s.Secret.Name, true, s.Secret.Items, s.Secret.Optional)
		case s.DownwardAPI != nil:
			part, err = p.downward(s.DownwardAPI.Items)
		default:
			err = errors.New("this harness has no such projection")
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(out, part)
	}
	return out, nil
}

// show writes what a map holds the way a kubelet does: all files change at once, by the exchange of one link.
func (v *volume) show() error {
	content, err := v.content()
	if err != nil || v.shown != nil && same(content, v.shown) {
		return err
	}
	v.version++
	data := fmt.Sprintf("..%d", v.version)
	for _, name := range slices.Sorted(maps.Keys(content)) {
		file := filepath.Join(v.dir, data, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content[name], 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(v.dir, data), 0o755); err != nil {
		return err
	}
	next := filepath.Join(v.dir, "..next")
	if err := os.Symlink(data, next); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(v.dir, "..data")); err != nil {
		return err
	}
	for name := range content {
		link := filepath.Join(v.dir, name)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			return err
		}
		target, err := filepath.Rel(filepath.Dir(link), filepath.Join(v.dir, "..data", name))
		if err != nil {
			return err
		}
		if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	for name := range v.shown {
		if _, stays := content[name]; !stays {
			_ = os.Remove(filepath.Join(v.dir, name))
		}
	}
	_ = os.RemoveAll(filepath.Join(v.dir, fmt.Sprintf("..%d", v.version-1)))
	v.shown = content
	return nil
}

func same(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}

// refreshEvery is how often maps that are mounted are looked at.
const refreshEvery = 500 * time.Millisecond

// refresh has mounted maps follow what they hold; a kubelet takes up to a minute for it, this one half a second.
func (p *Pod) refresh(ended <-chan struct{}) {
	repeat(refreshEvery, ended, func() (goOn bool) {
		p.files.Lock()
		defer p.files.Unlock()
		for i := range p.volumes {
			if p.volumes[i].content != nil {
				_ = p.volumes[i].show() // a map that is gone stays as it was
			}
		}
		return true
	})
}

// repeat does something now and then, until that says that it is enough, or ended is closed.
func repeat(every time.Duration, ended <-chan struct{}, do func() (goOn bool)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		if !do() {
			return
		}
	}
}

func (p *Pod) removeVolumes() {
	p.files.Lock()
	defer p.files.Unlock()
	for _, v := range p.volumes {
		if v.mounted {
			_ = syscall.Unmount(v.dir, syscall.MNT_DETACH)
		}
	}
}

// mounts are the volumes where the container wants them, and the two files by which it finds names.
func (c *container) mounts() ([]mount, error) {
	p := c.pod
	resolve, hosts := filepath.Join(p.dir, "resolv.conf"), filepath.Join(p.dir, "hosts")
	search := p.Object.Namespace + ".svc.cluster.local svc.cluster.local cluster.local"
	if err := os.WriteFile(resolve, []byte("search "+search+"\nnameserver "+p.machine.Resolver+"\noptions ndots:5\n"), 0o644); err != nil {
		return nil, err
	}
	names := p.hostname()
	if p.Object.Spec.Subdomain != "" {
		names = p.hostname() + "." + p.Object.Spec.Subdomain + "." + p.Object.Namespace + ".svc.cluster.local " + names
	}
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"+p.wire.Address.String()+" "+names+"\n"), 0o644); err != nil {
		return nil, err
	}
	out := []mount{{Source: resolve, Target: "/etc/resolv.conf"}, {Source: hosts, Target: "/etc/hosts"}}
	p.files.Lock()
	defer p.files.Unlock()
	for _, v := range p.volumes {
		if v.name == accountVolume {
			out = append(out, mount{Source: v.dir, Target: accountDir, ReadOnly: true})
		}
	}
	for _, m := range c.spec.VolumeMounts {
		at := slices.IndexFunc(p.volumes, func(v volume) bool { return v.name == m.Name })
		if at < 0 {
			return nil, fmt.Errorf("container %s mounts %s, which is no volume of its pod", c.spec.Name, m.Name)
		}
		source := p.volumes[at].dir
		if m.SubPath != "" {
			source = filepath.Join(source, expand(m.SubPath, lookup(nil)))
			if p.volumes[at].content == nil {
				if err := os.MkdirAll(source, 0o777); err != nil {
					return nil, err
				}
				if err := os.Chmod(source, 0o777); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, mount{Source: source, Target: m.MountPath, ReadOnly: m.ReadOnly || p.volumes[at].content != nil})
	}
	return out, nil
}
