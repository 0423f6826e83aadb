{{- define "kelpgate.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "kelpgate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kelpgate.labels" -}}
{{ include "kelpgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "kelpgate.pod" -}}
{{- $server := eq .Values.mode "server" -}}
metadata:
  labels: {{- include "kelpgate.selector" . | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ .Values.serviceAccount.name }}
  automountServiceAccountToken: false
  # Requests in progress have 30 s.
  terminationGracePeriodSeconds: 60
  securityContext:
    runAsNonRoot: true
    runAsUser: 8333
    runAsGroup: 8333
    fsGroup: 8333
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: kelpgate
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- if $server }}
        - server
        - -dir=/var/lib/kelpgate/data
        {{- else }}
        - s3
        - -filer={{ .Values.filer }}
        {{- end }}
        - -ip.bind=0.0.0.0
        - -port=8333
        - -metricsPort={{ .Values.metrics.port }}
        {{- if .Values.config.iam }}
        - -iam.config=/etc/kelpgate/iam.json
        {{- end }}
        {{- if .Values.config.identities }}
        - -config=/etc/kelpgate/identities.json
        {{- end }}
        {{- if .Values.tls.existingSecret }}
        - -cert.file=/etc/kelpgate-tls/tls.crt
        - -key.file=/etc/kelpgate-tls/tls.key
        {{- end }}
        {{- range .Values.extraFlags }}
        - {{ . | quote }}
        {{- end }}
      {{- with .Values.extraEnv }}
      env: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - { name: s3, containerPort: 8333 }
        - { name: metrics, containerPort: {{ .Values.metrics.port }} }
      startupProbe:
        httpGet: { path: /healthz, port: metrics }
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet: { path: /healthz, port: metrics }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: metrics }
        periodSeconds: 2
        timeoutSeconds: 2
      lifecycle:
        # Load balancers hear of the end before it comes.
        preStop: { exec: { command: [sleep, "5"] } }
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        {{- if $server }}
        - { name: data, mountPath: /var/lib/kelpgate }
        {{- end }}
        {{- if .Values.config.existingSecret }}
        - { name: config, mountPath: /etc/kelpgate, readOnly: true }
        {{- end }}
        {{- if .Values.tls.existingSecret }}
        - { name: tls, mountPath: /etc/kelpgate-tls, readOnly: true }
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if .Values.config.existingSecret }}
    - name: config
      secret: { secretName: {{ .Values.config.existingSecret }} }
    {{- end }}
    {{- if .Values.tls.existingSecret }}
    - name: tls
      secret: { secretName: {{ .Values.tls.existingSecret }} }
    {{- end }}
  {{- if and .Values.topologySpread (not $server) }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "kelpgate.selector" . | nindent 10 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
