{{- /* What the schema cannot say: values that contradict each other. Each text names both, and what to do. */}}
{{- define "providerswitch.validate" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.leaderElection.enabled) -}}
{{- fail (printf "replicas is %d and leaderElection.enabled is false: two operators would work against each other. Set replicas to 1, or leaderElection.enabled to true." (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.caBundle.configMapName .Values.caBundle.secretName -}}
{{- fail (printf "caBundle.configMapName is %q and caBundle.secretName is %q: give one of the two." .Values.caBundle.configMapName .Values.caBundle.secretName) -}}
{{- end -}}
{{- if and .Values.hints.enabled .Values.hints.insecure .Values.hints.tls.secretName -}}
{{- fail (printf "hints.insecure is true and hints.tls.secretName is %q: give one of the two." .Values.hints.tls.secretName) -}}
{{- end -}}
{{- if and .Values.hints.enabled (not .Values.hints.insecure) (not .Values.hints.tls.secretName) -}}
{{- fail "hints.enabled is true and hints.tls.secretName is empty: callers send tokens. Name a Secret with tls.crt and tls.key, or set hints.insecure to true where something else encrypts the way." -}}
{{- end -}}
{{- end }}
