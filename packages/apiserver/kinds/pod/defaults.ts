import type { Container, PodSpec, PodTemplateSpec, Probe, Volume } from '#kube-api';

/** Source: pkg/apis/core/v1/defaults.go. */
export function defaultPodSpec(spec: PodSpec): PodSpec {
  return {
    ...spec,
    containers: (spec.containers ?? []).map(defaultContainer),
    ...(spec.initContainers !== undefined && { initContainers: spec.initContainers.map(defaultContainer) }),
    ...(spec.ephemeralContainers !== undefined && {
      ephemeralContainers: spec.ephemeralContainers.map(defaultContainer),
    }),
    ...(spec.volumes !== undefined && { volumes: spec.volumes.map(defaultVolume) }),
    restartPolicy: spec.restartPolicy ?? 'Always',
    dnsPolicy: spec.dnsPolicy ?? 'ClusterFirst',
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    securityContext: spec.securityContext ?? {},
    schedulerName: spec.schedulerName ?? 'default-scheduler',
    ...(spec.serviceAccountName !== undefined && { serviceAccount: spec.serviceAccountName }),
  };
}

export function defaultPodTemplate(template: PodTemplateSpec): PodTemplateSpec {
  return {
    ...template,
    metadata: template.metadata ?? {},
    ...(template.spec !== undefined && { spec: defaultPodSpec(template.spec) }),
  };
}

function defaultContainer(container: Container): Container {
  const limits = container.resources?.limits;
  return {
    ...container,
    ...(container.ports !== undefined && {
      ports: container.ports.map((port) => ({
        ...port,
        protocol: port.protocol ?? 'TCP',
      })),
    }),
    ...(container.env !== undefined && {
      env: container.env.map((variable) =>
        variable.valueFrom?.fieldRef === undefined
          ? variable
          : {
              ...variable,
              valueFrom: {
                ...variable.valueFrom,
                fieldRef: {
                  ...variable.valueFrom.fieldRef,
                  apiVersion: variable.valueFrom.fieldRef.apiVersion ?? 'v1',
                },
              },
            },
      ),
    }),
    ...(container.livenessProbe !== undefined && { livenessProbe: defaultProbe(container.livenessProbe) }),
    ...(container.readinessProbe !== undefined && { readinessProbe: defaultProbe(container.readinessProbe) }),
    ...(container.startupProbe !== undefined && { startupProbe: defaultProbe(container.startupProbe) }),
    imagePullPolicy:
      container.imagePullPolicy ??
      (/(^|\/)[^/:@]+(:latest)?$/.test(container.image ?? '') ? 'Always' : 'IfNotPresent'),
    resources:
      limits === undefined
        ? (container.resources ?? {})
        : { ...container.resources, requests: { ...limits, ...container.resources?.requests } },
    terminationMessagePath: container.terminationMessagePath ?? '/dev/termination-log',
    terminationMessagePolicy: container.terminationMessagePolicy ?? 'File',
  };
}

function defaultProbe(probe: Probe): Probe {
  return {
    ...probe,
    ...(probe.httpGet !== undefined && {
      httpGet: { ...probe.httpGet, path: probe.httpGet.path ?? '/', scheme: probe.httpGet.scheme ?? 'HTTP' },
    }),
    timeoutSeconds: probe.timeoutSeconds || 1,
    periodSeconds: probe.periodSeconds || 10,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  };
}

const VOLUME_SOURCES = ['configMap', 'secret', 'projected', 'downwardAPI'] as const;

function defaultVolume(volume: Volume): Volume {
  let result = volume;
  for (const source of VOLUME_SOURCES) {
    const value = volume[source];
    if (value !== undefined)
      result = { ...result, [source]: { ...value, defaultMode: value.defaultMode ?? 0o644 } };
  }
  if (volume.hostPath !== undefined) result = { ...result, hostPath: { type: '', ...volume.hostPath } };
  if (Object.keys(volume).length === 1) result = { ...result, emptyDir: {} };
  return result;
}
