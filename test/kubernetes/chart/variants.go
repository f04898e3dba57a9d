package chart

import "strings"

// Variants are values that people may choose, by what they come to. Tests render all of them, and have a real API server judge them.
var Variants = map[string]string{
	"defaults": "",
	// An installation on one small node, in its memory.
	"small":                       "brokers: {replicas: 1, storage: {type: emptyDir, medium: Memory, size: 64Mi}}\nkeepers: {replicas: 1}\n",
	"one process":                 "mode: combined",
	"more processes than keepers": "mode: combined\nbrokers: {replicas: 5}\nkeepers: {storage: {medium: Memory}}",
	"volumes":                     "brokers: {storage: {type: persistentVolume, storageClassName: fast}}\nkeepers: {storage: {type: persistentVolume}}",
	"one process with volumes":    "mode: combined\nbrokers: {storage: {type: persistentVolume}}\nkeepers: {storage: {type: persistentVolume}}",
	"a volume and none":           "mode: combined\nbrokers: {storage: {type: persistentVolume}}",
	"node ports":                  "outside: {access: NodePort, firstNodePort: 30901}",
	"load balancers":              "outside: {access: LoadBalancer, annotations: {a/b: c}, sourceRanges: [203.0.113.0/24], host: 'b{id}.example.com'}",
	"one process, node ports":     "mode: combined\noutside: {access: NodePort}",
	"TLS":                         "tls: {enabled: true, secretName: certificates}",
	"TLS for all":                 "mode: combined\ntls: {enabled: true, secretName: certificates, clientAuth: required, plain: true}\noutside: {access: NodePort}",
	"topics":                      "topics: [{name: Orders.v1, partitions: 12, replicas: 3, config: {retention.ms: 7200000, cleanup.policy: compact}}, {name: old, delete: true}]",
	"everything": "rack: {readNode: true}\nserviceMonitor: {enabled: true, labels: {release: prom}}\nnetworkPolicy: {clients: [{namespaceSelector: {}}], keeperClients: [{podSelector: {matchLabels: {a: b}}}]}\n" +
		"image: {digest: 'sha256:" + strings.Repeat("0", 64) + "'}\nimagePullSecrets: [{name: x}]\n" +
		"keepers: {settings: {tickTime: 3000}, extraEnv: [{name: A, value: b}], antiAffinity: required, nodeSelector: {d: e}, tolerations: [{operator: Exists}], priorityClassName: high, podAnnotations: {f: g}, podLabels: {h: i}}\n" +
		"brokers: {settings: {num.partitions: 6, auto.create.topics.enable: false}, extraEnv: [{name: A, value: b}], antiAffinity: none, nodeSelector: {d: e}, tolerations: [{operator: Exists}], priorityClassName: high, podAnnotations: {f: g}, podLabels: {h: i}}\n",
	"nothing":       "rbac: {create: false}\nserviceAccount: {create: false}\npodDisruptionBudget: {enabled: false}\nnetworkPolicy: {enabled: false}\ntopologySpread: {enabled: false}",
	"OpenShift":     "podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}",
	"another name":  "fullnameOverride: kafka",
	"more keepers":  "keepers: {replicas: 5}\nbrokers: {replicas: 12}",
	"whole numbers": "brokers: {storage: {size: 10G}, resources: {limits: {memory: 1Gi}}}",
}
