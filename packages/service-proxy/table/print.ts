import { hostInUrl } from '#ip';
import type { Endpoint, Frontend, ServiceEntry, Target } from './entry.ts';

/** One line a frontend, the same for equal decisions: for golden files, logs and comparison. */
export function printEntry(entry: ServiceEntry): string {
  const lines = entry.frontends.map((frontend) => `${entry.service} ${printFrontend(frontend)}`);
  if (entry.healthCheck !== undefined)
    lines.push(
      `${entry.service} health check on port ${entry.healthCheck.port}: ${entry.healthCheck.localEndpoints} local endpoints`,
    );
  const { scheduler, forwarding } = entry.ipvs ?? {};
  if (scheduler !== undefined) lines.push(`${entry.service} IPVS scheduler ${scheduler}`);
  if (forwarding !== undefined) lines.push(`${entry.service} IPVS forwarding ${forwarding}`);
  for (const problem of entry.problems) lines.push(`${entry.service} problem: ${problem}`);
  return `${lines.join('\n')}\n`;
}

/** `ClusterIP 10.96.0.1:80/TCP http -> 10.244.1.2:8080* 10.244.2.2:8080, masquerade outside-cluster`; `*` marks local endpoints. */
export function printFrontend(frontend: Frontend): string {
  const { kind, portName, target, outside, masquerade, sourceRanges, affinitySeconds, serving } = frontend;
  const parts = [
    `${kind} ${printPlace(frontend.address, frontend.port)}/${frontend.protocol}${portName === '' ? '' : ` ${portName}`} -> ${printTarget(target)}`,
  ];
  if (frontend.elsewhere) parts.push('at another node');
  if (outside !== undefined) parts.push(`from outside -> ${printTarget(outside)}`);
  if (masquerade !== 'none') parts.push(`masquerade ${masquerade}`);
  if (sourceRanges !== undefined) parts.push(`only from ${sourceRanges.join(' ') || 'nowhere'}`);
  if (affinitySeconds !== undefined) parts.push(`affinity ${affinitySeconds}s`);
  if (target.kind !== 'endpoints' || target.endpoints !== serving)
    parts.push(`serving ${printEndpoints(serving)}`);
  return parts.join(', ');
}

function printTarget(target: Target): string {
  return target.kind === 'endpoints' ? printEndpoints(target.endpoints) : target.kind;
}

function printEndpoints(endpoints: readonly Endpoint[]): string {
  if (endpoints.length === 0) return 'none';
  return endpoints
    .map(({ address, port, local }) => `${printPlace(address, port)}${local ? '*' : ''}`)
    .join(' ');
}

export function printPlace(address: string, port: number): string {
  return `${hostInUrl(address)}:${port}`;
}
