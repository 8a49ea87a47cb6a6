{{/* What the schema cannot say: values that do not fit together. */}}
{{- define "panorec.check" -}}
{{- $v := .Values -}}
{{- if not $v.image.repository -}}
{{- fail "image.repository is empty: say where panorec's image is, such as registry.example/panorec" -}}
{{- end -}}
{{- if eq $v.image.tag "latest" -}}
{{- fail "image.tag latest does not say what runs: name a version, or a digest by image.digest" -}}
{{- end -}}
{{- if and (not $v.rbac.clusterWide) (ne (len (include "panorec.namespaces" . | fromJsonArray)) 1) -}}
{{- fail "rbac.clusterWide=false looks after one namespace: name one in recordingNamespaces, and install the chart once more for each other one, with crds.install=false" -}}
{{- end -}}
{{- if and $v.s3.secret $v.s3.ambient -}}
{{- fail "s3.secret and s3.ambient are two sources of the same credentials: leave one out" -}}
{{- end -}}
{{- $own := or $v.s3.secret $v.s3.ambient -}}
{{- if and $own (not $v.s3.buckets) -}}
{{- fail "s3.buckets is empty: name the buckets that s3.secret or s3.ambient has the credentials for" -}}
{{- end -}}
{{- if and (or $v.s3.endpoint $v.s3.buckets) (not $own) -}}
{{- fail "the store in s3 has no credentials: name their Secret by s3.secret, or say s3.ambient=true" -}}
{{- end -}}
{{- with $v.gateway -}}
{{- if .enabled -}}
{{- if not .keysSecret -}}
{{- fail "gateway.keysSecret is empty: name the Secret whose key keys.json says who may call (docs/action-api.md, Signatures)" -}}
{{- end -}}
{{- if and .allNamespaces (not $v.rbac.clusterWide) -}}
{{- fail "gateway.allNamespaces needs rbac.clusterWide=true: it watches recordings of all namespaces" -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.host) -}}
{{- fail "gateway.ingress.host is empty: say the host that clients have in their URL" -}}
{{- end -}}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) -}}
{{- fail "gateway.httpRoute.parentRefs is empty: name the Gateway that the route belongs to" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
