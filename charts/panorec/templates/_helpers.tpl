{{/* The beginning of all names. */}}
{{- define "panorec.name" -}}
{{- $name := ternary .Release.Name (printf "%s-panorec" .Release.Name) (contains "panorec" .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* What pods are selected by: (list $ component). */}}
{{- define "panorec.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: panorec
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "panorec.labels" -}}
{{- $root := index . 0 -}}
{{ include "panorec.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- define "panorec.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The namespaces that recordings are made in, as a JSON list. */}}
{{- define "panorec.namespaces" -}}
{{ .Values.recordingNamespaces | default (list .Release.Namespace) | toJson }}
{{- end }}

{{- define "panorec.gatewayNamespace" -}}
{{ .Values.gateway.namespace | default (index (include "panorec.namespaces" . | fromJsonArray) 0) }}
{{- end }}

{{- define "panorec.tokenSecret" -}}
{{ .Values.operator.tokenSecret | default (printf "%s-operator-token" (include "panorec.name" .)) }}
{{- end }}

{{/* Below the kubelet's folder of profiles. */}}
{{- define "panorec.seccompProfile" -}}
{{- $own := ternary (printf "operator/%s.json" (include "panorec.name" .)) "panorec.json" (eq .Values.seccomp.delivery "SecurityProfilesOperator") -}}
{{ .Values.seccomp.profile | default $own }}
{{- end }}

{{/* Of pods that have no more than they need. The user is the recordings' own, for the claim. */}}
{{- define "panorec.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "panorec.podSecurityWithClaim" -}}
{{ include "panorec.podSecurity" . }}
# As in the pods of recordings: the claim's root stays as they need it.
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
{{- end }}

{{- define "panorec.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* What a Deployment's pods have in common with others of it: (list $ component values). */}}
{{- define "panorec.placement" -}}
{{- $root := index . 0 -}}
{{- with (index . 2).priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with (index . 2).nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with (index . 2).tolerations }}
tolerations: {{ toJson . }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "panorec.selector" (list $root (index . 1)) | nindent 8 }}
{{- include "panorec.pullSecrets" $root }}
{{- end }}

{{- define "panorec.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What the pods of recordings are given besides: the operator's --pod-overrides. */}}
{{- define "panorec.podOverrides" -}}
{{- $given := dict "serviceAccountName" .Values.recordings.serviceAccount.name -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "annotations" "runtimeClassName" "priorityClassName" -}}
{{- with index $.Values.recordings $key }}{{ $_ := set $given $key . }}{{ end -}}
{{- end -}}
{{- with .Values.image.pullSecrets }}{{ $_ := set $given "imagePullSecrets" . }}{{ end -}}
{{- if kindIs "bool" .Values.recordings.hostUsers }}{{ $_ := set $given "hostUsers" .Values.recordings.hostUsers }}{{ end -}}
{{ toJson $given }}
{{- end }}

{{/* A rule of a namespace, for the account of another one: (dict "root" $ "namespace" … "component" … "rules" …). */}}
{{- define "panorec.role" -}}
{{- $name := printf "%s-%s" (include "panorec.name" .root) .component -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ .namespace }}
  labels: {{- include "panorec.labels" (list .root .component) | nindent 4 }}
rules: {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ .namespace }}
  labels: {{- include "panorec.labels" (list .root .component) | nindent 4 }}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }} }
subjects: [{ kind: ServiceAccount, name: {{ $name }}, namespace: {{ .account | default .root.Release.Namespace }} }]
{{- end }}

{{- define "panorec.clusterRole" -}}
{{- $name := printf "%s-%s" (include "panorec.name" .root) .component -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels: {{- include "panorec.labels" (list .root .component) | nindent 4 }}
rules: {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels: {{- include "panorec.labels" (list .root .component) | nindent 4 }}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $name }} }
subjects: [{ kind: ServiceAccount, name: {{ $name }}, namespace: {{ .root.Release.Namespace }} }]
{{- end }}
