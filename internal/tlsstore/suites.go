package tlsstore

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// spoken is which versions and cipher suites of TLS are spoken.
type spoken struct {
	min, max uint16
	// suites are those of TLS 1.2 and before; nil means Go's own choice.
	suites []uint16
	// only are the suites of TLS 1.3 that may be agreed upon; nil means all.
	only []uint16
}

// versions are Java's names, oldest first.
var versions = []struct {
	name    string
	version uint16
}{
	{"TLSv1", tls.VersionTLS10}, {"TLSv1.1", tls.VersionTLS11}, {"TLSv1.2", tls.VersionTLS12}, {"TLSv1.3", tls.VersionTLS13},
}

func (s Settings) spoken() (spoken, error) {
	var v spoken
	if err := checkProtocol(s.text("ssl.protocol")); err != nil {
		return v, err
	}
	enabled := list(s.text("ssl.enabled.protocols"))
	if len(enabled) == 0 {
		enabled = []string{"TLSv1.2", "TLSv1.3"}
	}
	var places []int
	for _, name := range enabled {
		place := placeOf(name)
		if place < 0 {
			return v, fmt.Errorf("ssl.enabled.protocols: %s is not spoken here: %s are", name, versionNames())
		}
		places = append(places, place)
	}
	first, last := slices.Min(places), slices.Max(places)
	for between := first; between <= last; between++ {
		if !slices.Contains(places, between) {
			return v, fmt.Errorf("ssl.enabled.protocols: %s without %s can't be had: Go's TLS speaks all versions between the oldest and the newest",
				strings.Join(enabled, ","), versions[between].name)
		}
	}
	v.min, v.max = versions[first].version, versions[last].version
	return v, v.choose(list(s.text("ssl.cipher.suites")))
}

// checkProtocol takes the names of Java's SSLContext; which versions are spoken is said by ssl.enabled.protocols.
func checkProtocol(name string) error {
	if name == "" || strings.EqualFold(name, "TLS") || placeOf(name) >= 0 {
		return nil
	}
	return fmt.Errorf("ssl.protocol: %s is not spoken here: TLS, %s are", name, versionNames())
}

func placeOf(name string) int {
	for i := range versions {
		if strings.EqualFold(versions[i].name, name) {
			return i
		}
	}
	return -1
}

func versionNames() string {
	var names []string
	for _, v := range versions {
		names = append(names, v.name)
	}
	return strings.Join(names, ", ")
}

// choose takes a list of cipher suites. Go has no choice among those of TLS 1.3: TLS_AES_128_GCM_SHA256 comes first where both ends have it, and
// what was not named is refused when it has been agreed upon.
func (v *spoken) choose(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var older, newer []uint16
	for _, name := range names {
		suite := suiteOf(name)
		switch {
		case suite == nil:
			return fmt.Errorf("ssl.cipher.suites: %s is none that Go's TLS has: %s are", name, suiteNames())
		case slices.Contains(suite.SupportedVersions, tls.VersionTLS13):
			newer = append(newer, suite.ID)
		default:
			older = append(older, suite.ID)
		}
	}
	if len(newer) == 0 {
		v.max = min(v.max, tls.VersionTLS12)
	}
	if len(older) == 0 {
		v.min = max(v.min, tls.VersionTLS13)
	}
	switch {
	case v.min > v.max:
		return fmt.Errorf("ssl.cipher.suites: none of them is for a version of ssl.enabled.protocols")
	case v.max == tls.VersionTLS13 && !slices.Contains(newer, tls.TLS_AES_128_GCM_SHA256):
		return fmt.Errorf("ssl.cipher.suites: TLS 1.3 without TLS_AES_128_GCM_SHA256 can't be had, for Go's TLS takes that one first: " +
			"name it, or leave TLSv1.3 out of ssl.enabled.protocols")
	}
	v.suites = older
	if v.max == tls.VersionTLS13 {
		v.only = newer
	}
	return nil
}

// suiteOf finds a suite by its name, which Java has in common with Go, but for the prefix of the oldest.
func suiteOf(name string) *tls.CipherSuite {
	if rest, old := strings.CutPrefix(name, "SSL_"); old {
		name = "TLS_" + rest
	}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.Name == name {
			return suite
		}
	}
	return nil
}

func suiteNames() string {
	var names []string
	for _, suite := range tls.CipherSuites() {
		names = append(names, suite.Name)
	}
	return strings.Join(names, ", ")
}

// list cuts at commas.
func list(text string) []string {
	var out []string
	for _, word := range strings.Split(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}
