import type { ServicePort, ServiceSpec } from '#kube-api';
import { check, checkIp, checkLabels, checkOneOf, checkPortNumber } from '../../validation/checks.ts';
import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  required,
} from '../../validation/field-error.ts';
import { dnsLabel, dnsSubdomain, portName } from '../../validation/names.ts';
import { isExternallyAccessible, isHeadless, mayHaveNodePorts } from './facts.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

/** Source: pkg/apis/core/validation ValidateService. */
export function validateSpec(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName')
    errors.push(required('spec.ports'));
  if (spec.type === 'LoadBalancer' && isHeadless(spec))
    errors.push(
      invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for LoadBalancer services"),
    );
  if (spec.type === 'NodePort' && isHeadless(spec))
    errors.push(invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for NodePort services"));
  if (spec.type === 'ExternalName') {
    if (spec.clusterIP !== undefined)
      errors.push(forbiddenField('spec.clusterIPs', 'may not be set for ExternalName services'));
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') errors.push(required('spec.externalName'));
    else errors.push(...check('spec.externalName', name, dnsSubdomain));
  }
  errors.push(...checkOneOf('spec.type', spec.type, TYPES));
  errors.push(...checkOneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']));
  errors.push(...checkOneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, ['Cluster', 'Local']));
  errors.push(...checkOneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, ['Cluster', 'Local']));
  errors.push(
    ...checkOneOf('spec.ipFamilyPolicy', spec.ipFamilyPolicy, [
      'SingleStack',
      'PreferDualStack',
      'RequireDualStack',
    ]),
  );
  if (spec.externalTrafficPolicy !== undefined && !isExternallyAccessible(spec))
    errors.push(
      invalidValue(
        'spec.externalTrafficPolicy',
        spec.externalTrafficPolicy,
        'may only be set for externally-accessible services',
      ),
    );
  errors.push(
    ...checkOneOf('spec.trafficDistribution', spec.trafficDistribution, [
      'PreferClose',
      'PreferSameNode',
      'PreferSameZone',
    ]),
  );
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (timeout !== undefined && (timeout <= 0 || timeout > 86_400))
    errors.push(
      invalidValue(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        timeout,
        'must be greater than 0 and less than 86400',
      ),
    );
  errors.push(...checkLabels('spec.selector', spec.selector));
  for (const [i, address] of (spec.externalIPs ?? []).entries())
    errors.push(...checkIp(`spec.externalIPs[${i}]`, address));
  errors.push(...validatePorts(spec, ports));
  return errors;
}

function validatePorts(spec: ServiceSpec, ports: readonly ServicePort[]): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const field = `spec.ports[${i}]`;
    if (ports.length > 1 && (port.name ?? '') === '') errors.push(required(`${field}.name`));
    else if (port.name !== undefined) {
      errors.push(...check(`${field}.name`, port.name, dnsLabel));
      if (names.has(port.name)) errors.push(duplicate(`${field}.name`, port.name));
      names.add(port.name);
    }
    errors.push(...checkPortNumber(`${field}.port`, port.port));
    errors.push(...checkOneOf(`${field}.protocol`, port.protocol, ['TCP', 'UDP', 'SCTP']));
    if (typeof port.targetPort === 'number')
      errors.push(...checkPortNumber(`${field}.targetPort`, port.targetPort));
    else if (port.targetPort !== undefined)
      errors.push(...check(`${field}.targetPort`, port.targetPort, portName));
    const number = `${port.protocol}/${port.port}`;
    if (numbers.has(number)) errors.push(duplicate(field, { port: port.port, protocol: port.protocol }));
    numbers.add(number);
    if (!port.nodePort) continue;
    if (!mayHaveNodePorts(spec))
      errors.push(forbiddenField(`${field}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    const nodePort = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(nodePort)) errors.push(duplicate(`${field}.nodePort`, port.nodePort));
    nodePorts.add(nodePort);
  }
  return errors;
}

export function validateUpdate(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return [];
  if (old.clusterIP === undefined || spec.clusterIP === old.clusterIP) return [];
  return [invalidValue('spec.clusterIPs[0]', spec.clusterIPs ?? [], 'may not change once set')];
}
