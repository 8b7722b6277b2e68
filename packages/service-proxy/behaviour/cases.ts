import type { BehaviourCase } from './case.ts';
import { CLUSTER_IP_CASES } from './cases/cluster-ip.ts';
import { ENDPOINT_CONDITION_CASES } from './cases/endpoint-conditions.ts';
import { ENDPOINT_CASES } from './cases/endpoints.ts';
import { EXTERNAL_ADDRESS_CASES } from './cases/external-address.ts';
import { NODE_PORT_CASES } from './cases/node-port.ts';
import { NOT_PROGRAMMED_CASES } from './cases/not-programmed.ts';
import { PORT_CASES } from './cases/ports.ts';
import { SESSION_AFFINITY_CASES } from './cases/session-affinity.ts';
import { TOPOLOGY_CASES } from './cases/topology.ts';
import { TRAFFIC_POLICY_CASES } from './cases/traffic-policy.ts';

/** What every backend must do, one case for each field of the API that matters to traffic. */
export const CASES: readonly BehaviourCase[] = [
  ...CLUSTER_IP_CASES,
  ...PORT_CASES,
  ...NODE_PORT_CASES,
  ...EXTERNAL_ADDRESS_CASES,
  ...TRAFFIC_POLICY_CASES,
  ...ENDPOINT_CASES,
  ...ENDPOINT_CONDITION_CASES,
  ...TOPOLOGY_CASES,
  ...SESSION_AFFINITY_CASES,
  ...NOT_PROGRAMMED_CASES,
];
