package cluster

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"barnabas/test/kubernetes/pods/objects"
)

// rights are who may do what: roles and what binds accounts to them, as they were applied last.
type rights struct {
	roles    map[string][]rbacv1.PolicyRule // by namespace/name; of the whole cluster without a namespace
	bindings map[string]binding             // likewise
}

type binding struct {
	namespace string // where it holds, empty for everywhere
	role      string
	accounts  []string // namespace/name
}

func newRights() rights {
	return rights{roles: map[string][]rbacv1.PolicyRule{}, bindings: map[string]binding{}}
}

func (r *rights) take(set *objects.Set) {
	for _, o := range set.Roles {
		r.roles[o.Namespace+"/"+o.Name] = o.Rules
	}
	for _, o := range set.ClusterRoles {
		r.roles["/"+o.Name] = o.Rules
	}
	for _, o := range set.RoleBindings {
		r.bind(o.Namespace, o.Name, o.RoleRef, o.Subjects)
	}
	for _, o := range set.ClusterRoleBindings {
		r.bind("", o.Name, o.RoleRef, o.Subjects)
	}
}

func (r *rights) bind(namespace, name string, to rbacv1.RoleRef, subjects []rbacv1.Subject) {
	b := binding{namespace: namespace, role: "/" + to.Name}
	if to.Kind == "Role" {
		b.role = namespace + "/" + to.Name
	}
	for _, s := range subjects {
		if s.Kind == rbacv1.ServiceAccountKind {
			b.accounts = append(b.accounts, s.Namespace+"/"+s.Name)
		}
	}
	r.bindings[namespace+"/"+name] = b
}

// allow tells whether an account may do something with a core resource of a namespace, or of the whole cluster.
func (r *rights) allow(account, verb, resource, namespace string) bool {
	for _, b := range r.bindings {
		if b.namespace != "" && b.namespace != namespace || !slices.Contains(b.accounts, account) {
			continue
		}
		for _, rule := range r.roles[b.role] {
			if slices.Contains(rule.APIGroups, "") && slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, verb) {
				return true
			}
		}
	}
	return false
}

// accountOf is the account by which a pod's token is known.
func accountOf(namespace, name string) string {
	if name == "" {
		name = "default"
	}
	return strings.Join([]string{namespace, name}, "/")
}
