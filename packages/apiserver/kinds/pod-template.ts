import type { Container, PodSpec, PodTemplateSpec, Probe, Volume } from '#kube-api';
import { tryParseQuantity } from '#kube-api';
import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../validation/field-error.ts';
import {
  check,
  checkAnnotations,
  checkLabels,
  checkRequired,
  dnsLabel,
  dnsSubdomain,
  environmentName,
  portName,
  portNumber,
} from '../validation/names.ts';

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

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];

/** Source: pkg/apis/core/validation ValidatePodSpec. */
export function validatePodSpec(spec: PodSpec, path: string): FieldError[] {
  const names = new Set<string>();
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  const containers = (list: readonly Container[] | undefined, field: string) =>
    (list ?? []).flatMap((container, i) =>
      validateContainer(container, `${path}.${field}[${i}]`, names, volumes),
    );
  const errors: FieldError[] = [];
  const volumeNames = new Set<string>();
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    errors.push(...checkRequired(`${path}.volumes[${i}].name`, volume.name, dnsLabel));
    if (volumeNames.has(volume.name)) errors.push(duplicate(`${path}.volumes[${i}].name`, volume.name));
    volumeNames.add(volume.name);
  }
  if ((spec.containers ?? []).length === 0) errors.push(required(`${path}.containers`));
  errors.push(
    ...containers(spec.containers, 'containers'),
    ...containers(spec.initContainers, 'initContainers'),
    ...containers(spec.ephemeralContainers, 'ephemeralContainers'),
  );
  errors.push(...checkOneOf(`${path}.restartPolicy`, spec.restartPolicy, RESTART_POLICIES));
  errors.push(...checkOneOf(`${path}.dnsPolicy`, spec.dnsPolicy, DNS_POLICIES));
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    errors.push(
      invalidValue(
        `${path}.terminationGracePeriodSeconds`,
        spec.terminationGracePeriodSeconds,
        'must be greater than or equal to 0',
      ),
    );
  if (spec.hostname !== undefined) errors.push(...check(`${path}.hostname`, spec.hostname, dnsLabel));
  if (spec.subdomain !== undefined) errors.push(...check(`${path}.subdomain`, spec.subdomain, dnsLabel));
  if (spec.nodeName !== undefined) errors.push(...check(`${path}.nodeName`, spec.nodeName, dnsSubdomain));
  if (spec.serviceAccountName !== undefined)
    errors.push(...check(`${path}.serviceAccountName`, spec.serviceAccountName, dnsSubdomain));
  errors.push(...checkLabels(`${path}.nodeSelector`, spec.nodeSelector));
  if (spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds < 1)
    errors.push(
      invalidValue(
        `${path}.activeDeadlineSeconds`,
        spec.activeDeadlineSeconds,
        'must be between 1 and 2147483647, inclusive',
      ),
    );
  return errors;
}

export function checkOneOf(
  field: string,
  value: string | undefined,
  supported: readonly string[],
): FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(field, value, supported)];
}

function validateContainer(
  container: Container,
  path: string,
  names: Set<string>,
  volumes: ReadonlySet<string>,
): FieldError[] {
  const errors = checkRequired(`${path}.name`, container.name, dnsLabel);
  if (container.name !== undefined && names.has(container.name))
    errors.push(duplicate(`${path}.name`, container.name));
  names.add(container.name);
  const image = container.image ?? '';
  if (image === '') errors.push(required(`${path}.image`));
  else if (image !== image.trim())
    errors.push(invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  errors.push(...checkOneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, PULL_POLICIES));
  const portNames = new Set<string>();
  for (const [i, port] of (container.ports ?? []).entries()) {
    const field = `${path}.ports[${i}]`;
    if (port.name !== undefined) {
      errors.push(...check(`${field}.name`, port.name, portName));
      if (portNames.has(port.name)) errors.push(duplicate(`${field}.name`, port.name));
      portNames.add(port.name);
    }
    if (port.containerPort === undefined || port.containerPort === 0)
      errors.push(required(`${field}.containerPort`));
    else
      for (const detail of portNumber(port.containerPort))
        errors.push(invalidValue(`${field}.containerPort`, port.containerPort, detail));
    if (port.hostPort !== undefined)
      for (const detail of portNumber(port.hostPort))
        errors.push(invalidValue(`${field}.hostPort`, port.hostPort, detail));
    errors.push(...checkOneOf(`${field}.protocol`, port.protocol, PROTOCOLS));
  }
  for (const [i, variable] of (container.env ?? []).entries()) {
    errors.push(...checkRequired(`${path}.env[${i}].name`, variable.name, environmentName));
    if (variable.value !== undefined && variable.value !== '' && variable.valueFrom !== undefined)
      errors.push(
        invalidValue(`${path}.env[${i}].valueFrom`, '', 'may not be specified when `value` is not empty'),
      );
  }
  const mounts = new Set<string>();
  for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
    const field = `${path}.volumeMounts[${i}]`;
    if ((mount.name ?? '') === '') errors.push(required(`${field}.name`));
    else if (!volumes.has(mount.name))
      errors.push({ type: 'FieldValueNotFound', field: `${field}.name`, value: mount.name });
    if ((mount.mountPath ?? '') === '') errors.push(required(`${field}.mountPath`));
    if (mounts.has(mount.mountPath))
      errors.push(invalidValue(`${field}.mountPath`, mount.mountPath, 'must be unique'));
    mounts.add(mount.mountPath);
  }
  errors.push(...validateResources(container, `${path}.resources`));
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const)
    errors.push(...validateProbe(container[probe], `${path}.${probe}`, probe !== 'readinessProbe'));
  return errors;
}

function validateResources({ resources }: Container, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const list of ['limits', 'requests'] as const)
    for (const [name, quantity] of Object.entries(resources?.[list] ?? {})) {
      const value = tryParseQuantity(quantity);
      if (value === undefined)
        errors.push(
          invalidValue(
            `${path}.${list}[${name}]`,
            quantity,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
          ),
        );
      else if (value < 0)
        errors.push(invalidValue(`${path}.${list}[${name}]`, quantity, 'must be greater than or equal to 0'));
    }
  for (const [name, quantity] of Object.entries(resources?.requests ?? {})) {
    const limit = resources?.limits?.[name];
    if (limit !== undefined && (tryParseQuantity(quantity) ?? 0) > (tryParseQuantity(limit) ?? Infinity))
      errors.push(
        invalidValue(`${path}.requests`, quantity, `must be less than or equal to ${name} limit of ${limit}`),
      );
  }
  return errors;
}

function validateProbe(probe: Probe | undefined, path: string, successMustBeOne: boolean): FieldError[] {
  if (probe === undefined) return [];
  const errors: FieldError[] = [];
  const handlers = (['exec', 'httpGet', 'tcpSocket', 'grpc'] as const).filter(
    (handler) => probe[handler] !== undefined,
  );
  if (handlers.length === 0) errors.push(required(path, 'must specify a handler type'));
  for (const handler of handlers.slice(1))
    errors.push(forbiddenField(`${path}.${handler}`, 'may not specify more than 1 handler type'));
  if (probe.exec !== undefined && (probe.exec.command ?? []).length === 0)
    errors.push(required(`${path}.exec.command`));
  for (const handler of ['httpGet', 'tcpSocket', 'grpc'] as const) {
    const target = probe[handler];
    if (target === undefined) continue;
    if (typeof target.port === 'string')
      errors.push(...check(`${path}.${handler}.port`, target.port, portName));
    else
      for (const detail of portNumber(target.port))
        errors.push(invalidValue(`${path}.${handler}.port`, target.port ?? 0, detail));
  }
  for (const field of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const)
    if ((probe[field] ?? 0) < 0)
      errors.push(invalidValue(`${path}.${field}`, probe[field], 'must be greater than or equal to 0'));
  if (successMustBeOne && (probe.successThreshold ?? 1) !== 1)
    errors.push(invalidValue(`${path}.successThreshold`, probe.successThreshold, 'must be 1'));
  return errors;
}

export function validatePodTemplate(template: PodTemplateSpec, path: string): FieldError[] {
  return [
    ...checkLabels(`${path}.labels`, template.metadata?.labels),
    ...checkAnnotations(`${path}.annotations`, template.metadata?.annotations),
    ...validatePodSpec(template.spec ?? { containers: [] }, `${path}.spec`),
  ];
}
