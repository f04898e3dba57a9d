{{- define "barnabas.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "barnabas.keeper" -}}{{ include "barnabas.fullname" . }}-keeper{{- end -}}
{{- define "barnabas.broker" -}}{{ include "barnabas.fullname" . }}-broker{{- end -}}

{{/* The labels that select: what part of which installation. */}}
{{- define "barnabas.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "barnabas.labels" -}}
{{ include "barnabas.selector" . }}
app.kubernetes.io/part-of: {{ include "barnabas.fullname" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* Those of a pod: what changes with the chart alone restarts nobody. */}}
{{- define "barnabas.podLabels" -}}
{{ include "barnabas.selector" . }}
app.kubernetes.io/part-of: {{ include "barnabas.fullname" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "barnabas.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "barnabas.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "barnabas.broker" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* Keepers have an account of their own, with fewer rights; one that is given is for both. */}}
{{- define "barnabas.keeperAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ include "barnabas.keeper" . }}
{{- else -}}
{{ include "barnabas.serviceAccount" . }}
{{- end -}}
{{- end -}}

{{/* How many pods run a keeper. */}}
{{- define "barnabas.keeperReplicas" -}}
{{- if eq .Values.mode "combined" -}}
{{ min (int .Values.keepers.replicas) (int .Values.brokers.replicas) }}
{{- else -}}
{{ int .Values.keepers.replicas }}
{{- end -}}
{{- end -}}

{{/* The names of the keepers' pods, as the headless Service gives them. */}}
{{- define "barnabas.keeperHosts" -}}
{{- $set := include "barnabas.keeper" . -}}
{{- if eq .Values.mode "combined" -}}{{- $set = include "barnabas.broker" . -}}{{- end -}}
{{- $hosts := list -}}
{{- range $i := until (int (include "barnabas.keeperReplicas" .)) -}}
{{- $hosts = append $hosts (printf "%s-%d.%s" $set $i $set) -}}
{{- end -}}
{{- join " " $hosts -}}
{{- end -}}

{{- define "barnabas.keeperServers" -}}
{{- $servers := list -}}
{{- range $i, $host := splitList " " (include "barnabas.keeperHosts" .) -}}
{{- $servers = append $servers (printf "server.%d=%s:2888:3888;2181" (add1 $i) $host) -}}
{{- end -}}
{{- join " " $servers -}}
{{- end -}}

{{/* Refuses another number of keepers than the installation has, or keepers elsewhere: its members know each other by
their list, and one with another list waits. `helm template` sees no installation, and refuses nothing. */}}
{{- define "barnabas.keepersStay" -}}
{{- range $mode, $name := dict "separate" (include "barnabas.keeper" $) "combined" (include "barnabas.broker" $) -}}
{{- $set := lookup "apps/v1" "StatefulSet" $.Release.Namespace $name -}}
{{- range $box := dig "spec" "template" "spec" "containers" list (default dict $set) -}}
{{- range $v := $box.env -}}
{{- if eq $v.name "ZOO_SERVERS" -}}
{{- $have := len (regexFindAll "server\\.[0-9]+=" (default "" $v.value) -1) -}}
{{- $want := int (include "barnabas.keeperReplicas" $) -}}
{{- if ne $mode $.Values.mode -}}
{{- fail (printf "mode: this installation is %q, with its keepers in the StatefulSet %s, and can't become %q: keepers do not move. Keep the mode, or install another release beside it." $mode $name $.Values.mode) -}}
{{- else if ne $have $want -}}
{{- fail (printf "keepers.replicas: this installation has %d keepers and can't be given %d by an upgrade: its members know each other by a list, and those with another list would wait for ever. Keep keepers.replicas=%d, or install another release beside it." $have $want $have) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "barnabas.keeperConnect" -}}
{{- $addresses := list -}}
{{- range splitList " " (include "barnabas.keeperHosts" .) -}}
{{- $addresses = append $addresses (printf "%s:2181" .) -}}
{{- end -}}
{{- join "," $addresses -}}
{{- end -}}

{{/* A quantity in bytes: 8Gi is 8589934592. */}}
{{- define "barnabas.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $number := regexFind "^[0-9]+" (toString .) -}}
{{- mul (int64 $number) (get $units (trimPrefix $number (toString .))) -}}
{{- end -}}

{{/* What volumes in memory hold, in bytes: it counts as the container's memory. */}}
{{- define "barnabas.inMemory" -}}
{{- $sum := 0 -}}
{{- range . -}}
{{- if and (eq .type "emptyDir") (eq .medium "Memory") -}}
{{- $sum = add $sum (include "barnabas.bytes" .size | int64) -}}
{{- end -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* Resources, with what volumes in memory hold: (dict "resources" … "storages" (list …)). */}}
{{- define "barnabas.resources" -}}
{{- $resources := deepCopy .resources -}}
{{- $held := include "barnabas.inMemory" .storages | int64 -}}
{{- if gt $held 0 -}}
{{- range $kind := list "requests" "limits" -}}
{{- $part := get $resources $kind | default dict -}}
{{- if hasKey $part "memory" -}}
{{- $_ := set $part "memory" (add $held (include "barnabas.bytes" (get $part "memory") | int64) | toString) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{/* The program's own part of the limit, where volumes in memory have the rest. */}}
{{- define "barnabas.memoryEnv" -}}
{{- $limits := .resources.limits | default dict -}}
{{- if and (gt (include "barnabas.inMemory" .storages | int64) 0) (hasKey $limits "memory") }}
- {name: GOMEMLIMIT, value: {{ div (mul (include "barnabas.bytes" $limits.memory | int64) 9) 10 | toString | quote }}}
{{- end }}
{{- end -}}

{{- define "barnabas.podEnv" -}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
{{- end -}}

{{- define "barnabas.podSecurity" -}}
runAsNonRoot: true
{{- range $name, $value := .Values.podSecurityContext }}
{{- if not (kindIs "invalid" $value) }}
{{ $name }}: {{ toYaml $value | nindent 2 | trim }}
{{- end }}
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "barnabas.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "barnabas.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 120
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{/* Where pods of one kind go: (dict "root" $ "of" .Values.brokers "component" "broker"). */}}
{{- define "barnabas.placement" -}}
{{- $selector := printf "%s\napp.kubernetes.io/component: %s" (include "barnabas.selector" .root) .component -}}
{{- with .of.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if eq .of.antiAffinity "required" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- $selector | nindent 12 }}
{{- else if eq .of.antiAffinity "preferred" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- $selector | nindent 14 }}
{{- end }}
{{- if .root.Values.topologySpread.enabled }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.rack.label }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- $selector | nindent 8 }}
{{- end }}
{{- end -}}

{{/* Volumes that are emptyDirs: a list of dicts of name and storage. */}}
{{- define "barnabas.emptyDirs" -}}
{{- range . }}
{{- if eq .storage.type "emptyDir" }}
- name: {{ .name }}
  emptyDir:
    {{- with .storage.medium }}
    medium: {{ . }}
    {{- end }}
    sizeLimit: {{ .storage.size }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Those that stay when a pod goes. */}}
{{- define "barnabas.claims" -}}
{{- range . }}
{{- if eq .storage.type "persistentVolume" }}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: {{ .name }}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storage.storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .storage.size }}
{{- end }}
{{- end }}
{{- end -}}
