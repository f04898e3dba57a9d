package tlsstore

import (
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Live is material that may be replaced while connections are made with it. Those that are there keep what they have.
type Live struct {
	current atomic.Pointer[loaded]

	mu sync.Mutex // held by those who load
}

// loaded is what was read at one time. Immutable.
type loaded struct {
	settings Settings
	material *Material
	server   *tls.Config // nil without a key
	stamps   map[string]stamp
}

// stamp tells one content of a file from another, without reading it.
type stamp struct {
	modified time.Time
	size     int64
	file     os.FileInfo // to tell another file of that name
}

func (s stamp) same(other stamp) bool {
	return s.modified.Equal(other.modified) && s.size == other.size &&
		(s.file == nil) == (other.file == nil) && (s.file == nil || os.SameFile(s.file, other.file))
}

// stamps are those of the files that the settings name; the one of a file that is not there is zero.
func (s Settings) stamps() map[string]stamp {
	found := map[string]stamp{}
	for _, name := range []string{"ssl.keystore.location", "ssl.truststore.location"} {
		path := s.text(name)
		if path == "" {
			continue
		}
		for _, file := range keyFiles(path) {
			found[file] = stamp{}
			if info, err := os.Stat(file); err == nil {
				found[file] = stamp{info.ModTime(), info.Size(), info}
			}
		}
	}
	return found
}

func load(s Settings) (*loaded, error) {
	l := &loaded{settings: maps.Clone(s), stamps: s.stamps()} // before the files are read: what comes between is seen later
	var err error
	if l.material, err = Read(s); err != nil {
		return nil, err
	}
	if len(l.material.Keys) > 0 {
		l.server, err = l.material.Server()
	}
	return l, err
}

// Open reads the material.
func Open(s Settings) (*Live, error) {
	l, err := load(s)
	if err != nil {
		return nil, err
	}
	live := &Live{}
	live.current.Store(l)
	return live, nil
}

// Material is what is there now.
func (l *Live) Material() *Material { return l.current.Load().material }

// Server is a configuration that takes for each connection what is there then. Its error is that of settings without a key.
func (l *Live) Server() (*tls.Config, error) {
	now, err := l.Material().Server()
	if err != nil {
		return nil, err
	}
	now.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return l.current.Load().server, nil
	}
	return now, nil
}

// Client is what to connect with now to a server of these names.
func (l *Live) Client(names ...string) *tls.Config { return l.Material().Client(names...) }

// Set takes other settings, where they are others. With an error what was there stays.
func (l *Live) Set(s Settings) (changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if maps.Equal(s, l.current.Load().settings) {
		return false, nil
	}
	return l.replace(s)
}

// Look reads the files again where they have changed. With an error what was there stays, and the next look tries again.
func (l *Live) Look() (changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.current.Load()
	if maps.EqualFunc(now.settings.stamps(), now.stamps, stamp.same) {
		return false, nil
	}
	return l.replace(now.settings)
}

func (l *Live) replace(s Settings) (bool, error) {
	next, err := load(s)
	if err != nil {
		return false, err
	}
	if next.server == nil && l.current.Load().server != nil {
		return false, fmt.Errorf("there is no key store any more")
	}
	l.current.Store(next)
	return true, nil
}
