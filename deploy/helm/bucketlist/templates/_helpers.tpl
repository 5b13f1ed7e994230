{{/* The name of the objects of a release. */}}
{{- define "bucketlist.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the servers. They never change. */}}
{{- define "bucketlist.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{/* Labels that select the workers. They never change. */}}
{{- define "bucketlist.workerSelectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{/* Labels of all objects. */}}
{{- define "bucketlist.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "bucketlist.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "bucketlist.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "bucketlist.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "bucketlist.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{- .Values.publicUrl -}}
{{- else if .Values.ingress.enabled -}}
{{- printf "%s://%s" (ternary "https" "http" (ne .Values.ingress.tlsSecret "")) .Values.ingress.host -}}
{{- trimSuffix "/" .Values.ingress.path -}}
{{- end -}}
{{- end -}}

{{/* Settings of the servers, the workers and the migration job. Those of the Secret have the lowest precedence. */}}
{{- define "bucketlist.environment" -}}
envFrom:
  - secretRef:
      name: {{ .Values.existingSecret | quote }}
env:
  - name: APP_ENV
    value: production
  - name: DATA_DIR
    value: /data
  - name: AUTO_MIGRATE
    value: "false"
  - name: DATABASE_POOL_SIZE
    value: {{ .Values.databasePoolSize | quote }}
  {{- with include "bucketlist.publicUrl" . }}
  - name: PUBLIC_URL
    value: {{ . | quote }}
  {{- end }}
  {{- range $name, $value := .Values.settings }}
  - name: {{ $name }}
    {{- /* Large numbers would be written with an exponent. */}}
    value: {{ ternary (toString $value) (int64 $value | toString) (not (kindIs "float64" $value)) | quote }}
  {{- end }}
{{- end -}}

{{- define "bucketlist.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "bucketlist.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end -}}
