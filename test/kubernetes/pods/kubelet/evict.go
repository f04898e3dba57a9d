package kubelet

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// measureEvery is how often a kubelet looks how large volumes are; Kubernetes' own does so every ten seconds.
	measureEvery = time.Second
	// evictionGrace is what a pod has that is evicted for the room it takes.
	evictionGrace = time.Second
)

// Evicted is the reason of a pod that was ended for the room it took.
const Evicted = "Evicted"

// measure looks at the pod's emptyDirs until it ends, and has it go when one has outgrown its limit. One in memory can't.
func (p *Pod) measure(ended <-chan struct{}) {
	limits := map[string]int64{}
	for _, v := range p.Object.Spec.Volumes {
		if v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil && v.EmptyDir.Medium != corev1.StorageMediumMemory {
			limits[filepath.Join(p.dir, "volumes", v.Name)] = v.EmptyDir.SizeLimit.Value()
		}
	}
	if len(limits) == 0 {
		return
	}
	repeat(measureEvery, ended, func() (goOn bool) {
		for dir, limit := range limits {
			used := sizeOf(dir)
			p.set(func(s *Status) { s.Largest = max(s.Largest, used) })
			if used > limit {
				p.evict(fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %d: it is %d", filepath.Base(dir), limit, used))
				return false
			}
		}
		return true
	})
}

// evict ends the pod as a failed one, which it stays until its owner takes it away.
func (p *Pod) evict(why string) {
	p.set(func(s *Status) { s.Phase, s.Reason, s.Message = corev1.PodFailed, Evicted, why })
	p.Stop(evictionGrace)
}

// sizeOf is the room that a directory's files take, in bytes; what goes meanwhile takes none.
func sizeOf(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var s syscall.Stat_t
		if err == nil && syscall.Lstat(path, &s) == nil {
			bytes += s.Blocks * 512
		}
		return nil
	})
	return bytes
}
