import type { Kind } from '../registry/kind.ts';
import { configMap, secret, serviceAccount } from './config.ts';
import { endpointSlice, endpoints } from './endpoints.ts';
import { event, eventsEvent } from './event.ts';
import { lease } from './lease.ts';
import { namespace } from './namespace.ts';
import { node } from './node.ts';
import { pod } from './pod.ts';
import { service } from './service.ts';
import { deployment, replicaSet } from './workloads.ts';

/** Every kind the server has; discovery, OpenAPI and routing follow from this list. */
export const KINDS: readonly Kind[] = [
  configMap,
  endpoints,
  event,
  namespace,
  node,
  pod,
  secret,
  serviceAccount,
  service,
  deployment,
  replicaSet,
  lease,
  endpointSlice,
  eventsEvent,
];
