package tree

import (
	"crypto/sha1"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"barnabas/internal/zookeeper/jute"
)

// The schemes that this server knows.
const (
	schemeWorld  = "world"
	schemeAuth   = "auth"
	schemeDigest = "digest"
	schemeIP     = "ip"
	schemeSuper  = "super"
)

// Digest is the identity that digest's credentials, "user:password", prove.
func Digest(credentials []byte) jute.ID {
	user, _, _ := strings.Cut(string(credentials), ":")
	sum := sha1.Sum(credentials)
	return jute.ID{Scheme: schemeDigest, ID: user + ":" + base64.StdEncoding.EncodeToString(sum[:])}
}

// Super is the identity to which no ACL applies.
func Super() jute.ID { return jute.ID{Scheme: schemeSuper} }

// Address is the identity of a client's address.
func Address(ip string) jute.ID { return jute.ID{Scheme: schemeIP, ID: ip} }

// User is the name in an identity that may be shown.
func User(id jute.ID) string {
	switch id.Scheme {
	case schemeDigest:
		user, _, _ := strings.Cut(id.ID, ":")
		return user
	case schemeIP:
		return id.ID
	}
	return ""
}

// Allowed says whether the ids may do one of perms. An empty ACL allows everything.
func Allowed(acl []jute.ACL, perms jute.Perms, ids []jute.ID) bool {
	if len(acl) == 0 {
		return true
	}
	for _, id := range ids {
		if id.Scheme == schemeSuper {
			return true
		}
	}
	for _, a := range acl {
		if a.Perms&perms == 0 {
			continue
		}
		if a.ID == (jute.ID{Scheme: schemeWorld, ID: "anyone"}) || slices.ContainsFunc(ids, func(id jute.ID) bool {
			return matches(id, a.ID)
		}) {
			return true
		}
	}
	return false
}

func matches(id, want jute.ID) bool {
	switch {
	case id.Scheme != want.Scheme:
		return false
	case id.Scheme == schemeDigest:
		return id.ID == want.ID
	case id.Scheme == schemeIP:
		prefix, ok := addresses(want.ID)
		address, err := netip.ParseAddr(id.ID)
		return ok && err == nil && prefix.Contains(address.Unmap())
	}
	return false
}

// addresses reads what an ip ACL names: an address, or one with the number of its leading bits that count.
func addresses(expr string) (netip.Prefix, bool) {
	host, bits, hasBits := strings.Cut(expr, "/")
	address, err := netip.ParseAddr(host)
	if err != nil || address.Zone() != "" {
		return netip.Prefix{}, false
	}
	n := address.BitLen()
	if hasBits {
		if n, err = strconv.Atoi(bits); err != nil {
			return netip.Prefix{}, false
		}
	}
	prefix, err := address.Prefix(n)
	return prefix, err == nil
}

// fixed is an ACL as a node keeps it: without doubles, and with the caller's own identities for "auth". ok is false for
// an ACL that is not one.
func fixed(ids []jute.ID, acl []jute.ACL) (kept []jute.ACL, ok bool) {
	if slices.Equal(acl, jute.OpenACL) {
		return jute.OpenACL, true
	}
	for i, a := range acl {
		if slices.Contains(acl[:i], a) {
			continue
		}
		switch {
		case a.ID.Scheme == schemeAuth:
			before := len(kept)
			for _, id := range ids {
				if id.Scheme == schemeDigest {
					kept = append(kept, jute.ACL{Perms: a.Perms, ID: id})
				}
			}
			if len(kept) == before {
				return nil, false
			}
		case validID(a.ID):
			kept = append(kept, a)
		default:
			return nil, false
		}
	}
	return kept, len(kept) > 0
}

func validID(id jute.ID) bool {
	switch id.Scheme {
	case schemeWorld:
		return id.ID == "anyone"
	case schemeDigest:
		// Java's split drops empty strings at the end.
		_, rest, _ := strings.Cut(strings.TrimRight(id.ID, ":"), ":")
		return rest != "" && !strings.Contains(rest, ":")
	case schemeIP:
		_, ok := addresses(id.ID)
		return ok
	}
	return false
}

// masked hides the digests in an ACL from those who may only read.
func masked(acl []jute.ACL) []jute.ACL {
	shown := slices.Clone(acl)
	for i := range shown {
		if shown[i].ID.Scheme == schemeDigest {
			user, _, found := strings.Cut(shown[i].ID.ID, ":")
			if found {
				shown[i].ID.ID = user + ":x"
			}
		}
	}
	return shown
}
