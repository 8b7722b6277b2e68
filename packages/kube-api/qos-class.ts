import type { PodSpec } from './generated/types.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const COUNTED = ['cpu', 'memory'] as const;

/** Quality of service, from requests and limits of cpu and memory. Source: pkg/apis/core/v1/helper/qos. */
export function qosClass(spec: PodSpec | undefined): QosClass {
  const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ resources }) => ({
    limits: resources?.limits ?? {},
    requests: { ...resources?.limits, ...resources?.requests },
  }));
  if (all.every(({ requests }) => COUNTED.every((name) => requests[name] === undefined))) return 'BestEffort';
  const guaranteed = all.every(({ limits, requests }) =>
    COUNTED.every((name) => limits[name] !== undefined && requests[name] === limits[name]),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
