{{- /* The operator's arguments. What a user adds comes last: of a flag given twice, the last one counts. */}}
{{- define "providerswitch.args" -}}
- run
- {{ printf "--listen=%s:%v" .Values.listen.host .Values.listen.port | quote }}
- --log-level={{ .Values.log.level }}
- --log-format={{ .Values.log.format }}
- --max-policies-per-namespace={{ .Values.limits.policiesPerNamespace | int64 }}
- --max-providers-per-namespace={{ .Values.limits.providersPerNamespace | int64 }}
{{- if .Values.rbac.publishSecrets }}
- --publish-secrets
{{- end }}
- --max-override-duration={{ .Values.operations.maxOverrideDuration }}
- --keep-finished={{ .Values.operations.keepFinished }}
{{- if .Values.leaderElection.enabled }}
- --leader-elect
- --lease-namespace={{ .Release.Namespace }}
- --lease-name={{ include "providerswitch.fullname" . }}
- --lease-duration={{ .Values.leaderElection.leaseDuration }}
{{- end }}
{{- with .Values.watch.namespaces }}
- --namespaces={{ join "," . }}
{{- end }}
{{- with .Values.probes.allowCIDRs }}
- {{ printf "--allow-probe-cidr=%s" (join "," .) | quote }}
{{- end }}
{{- with include "providerswitch.caFile" . }}
- {{ printf "--ca-file=%s" . | quote }}
{{- end }}
{{- if .Values.hints.enabled }}
- {{ printf "--hints-listen=%s:%v" .Values.listen.host .Values.hints.port | quote }}
- --hints-service={{ .Release.Namespace }}/{{ include "providerswitch.fullname" . }}-hints
{{- if .Values.hints.insecure }}
- --hints-insecure
{{- else }}
- --hints-cert=/etc/providerswitch/hints/tls.crt
- --hints-key=/etc/providerswitch/hints/tls.key
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /* Rather not two Pods on one node. */}}
{{- define "providerswitch.apart" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "providerswitch.selectorLabels" . | nindent 12 }}
{{- end }}

{{- /* The constraints of the user; one that says not what is spread is about our Pods. */}}
{{- define "providerswitch.spread" -}}
{{- $ours := dict "matchLabels" (include "providerswitch.selectorLabels" . | fromYaml) -}}
{{- $constraints := list -}}
{{- range .Values.topologySpreadConstraints -}}
{{- $constraints = append $constraints (merge dict . (ternary dict (dict "labelSelector" $ours) (hasKey . "labelSelector"))) -}}
{{- end -}}
{{- with $constraints }}{{ toYaml . }}{{ end -}}
{{- end }}
