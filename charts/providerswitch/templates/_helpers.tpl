{{- define "providerswitch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- /* Room is left for the longest suffix, -leader-election. */}}
{{- define "providerswitch.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 47 | trimSuffix "-" -}}
{{- end }}

{{- define "providerswitch.serviceAccountName" -}}
{{- $otherwise := ternary (include "providerswitch.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $otherwise .Values.serviceAccount.name -}}
{{- end }}

{{- /* What selects the operator's Pods; it can never change, so no label of the user's is in it. */}}
{{- define "providerswitch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "providerswitch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "providerswitch.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "providerswitch.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Labels of every object; the list is the root and, if need be, further labels of this object. Ours win. */}}
{{- define "providerswitch.labels" -}}
{{- $root := index . 0 -}}
{{- $further := dict -}}
{{- if gt (len .) 1 -}}{{- $further = index . 1 -}}{{- end -}}
{{- $own := include "providerswitch.ownLabels" $root | fromYaml -}}
{{- merge $own $further $root.Values.commonLabels | toYaml -}}
{{- end }}

{{- define "providerswitch.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- .Values.image.repository }}{{ ternary (printf "@%s" .Values.image.digest) (printf ":%s" $tag) (ne .Values.image.digest "") -}}
{{- end }}

{{- define "providerswitch.caFile" -}}
{{- if or .Values.caBundle.configMapName .Values.caBundle.secretName -}}
/etc/providerswitch/ca/{{ .Values.caBundle.key }}
{{- end -}}
{{- end }}

{{- define "providerswitch.hintsSecret" -}}
{{- if .Values.hints.enabled -}}{{ .Values.hints.tls.secretName }}{{- end -}}
{{- end }}

{{- /* The rules of the operator, for a ClusterRole or for Roles. controller/startup.py checks the same list at start. */}}
{{- define "providerswitch.rules" -}}
# controller/handlers.py: see policies. Their spec is never written.
- apiGroups: [providerswitch.dev]
  resources: [providerswitchpolicies]
  verbs: [list, watch]
# controller/reporter.py: write their status.
- apiGroups: [providerswitch.dev]
  resources: [providerswitchpolicies/status]
  verbs: [patch]
# controller/drills.py: see drills. controller/drill_reports.py: remove those that are long over.
- apiGroups: [providerswitch.dev]
  resources: [providerswitchdrills]
  verbs: [list, watch, delete]
# controller/drill_reports.py: write their status.
- apiGroups: [providerswitch.dev]
  resources: [providerswitchdrills/status]
  verbs: [patch]
# controller/overrides.py: see overrides. controller/override_desk.py: remove those that finished long ago.
- apiGroups: [providerswitch.dev]
  resources: [providerswitchoverrides]
  verbs: [list, watch, delete]
# controller/override_desk.py: write their status.
- apiGroups: [providerswitch.dev]
  resources: [providerswitchoverrides/status]
  verbs: [patch]
# controller/switching.py: publish, verify, put right, remove. controller/children.py: notice drift.
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
# kube/secrets.py: get the keys that policies refer to; list and watch ask for metadata only.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
# controller/history.py: keep the configurations of policies; list and watch ask for metadata only.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [list, watch, create, patch, delete]
{{- if .Values.rbac.publishSecrets }}
# controller/switching.py: publish Secrets with the active provider's key, put them right, remove them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, patch, delete]
{{- end }}
# controller/reporter.py: tell of switches.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- /* The subject of every binding. */}}
{{- define "providerswitch.subjects" -}}
- kind: ServiceAccount
  name: {{ include "providerswitch.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
