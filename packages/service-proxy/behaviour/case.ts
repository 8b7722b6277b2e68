import type { IpAddress } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';
import type { Protocol } from '../table/entry.ts';
import type { NodeFacts } from '../table/facts.ts';
import {
  CLUSTER_IP,
  EXTERNAL_ADDRESS,
  NODE_ADDRESS,
  NODE_PORT,
  type PodName,
  SERVICE_PORT,
} from './cluster.ts';

/** Who opens a connection. */
export type Client = PodName | 'node' | 'outside';

/** What a connection is opened to. */
export interface Place {
  readonly address: IpAddress;
  readonly port: number;
  readonly protocol: Protocol;
}

/**
 * How a new connection ends: `a kept` (Pod a answers and sees the client's own address), `a replaced` (it sees another one), for the node
 * itself just `a`; `refused` (TCP reset, ICMP port unreachable), `unreachable` (ICMP host unreachable), `silence`.
 */
export type Outcome = string;

export interface Expectation {
  readonly from: Client;
  readonly to: Place;
  /** Each of them happens, nothing else does. */
  readonly outcomes: readonly Outcome[];
}

/** The cluster's objects at one time, and what must be seen then. */
export interface BehaviourState {
  readonly when?: string;
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly facts?: Partial<NodeFacts>;
  readonly expect: readonly Expectation[];
}

/** States follow each other, each programmed as a change of the one before. */
export interface BehaviourCase {
  readonly name: string;
  readonly states: readonly BehaviourState[];
}

/** Something that carries a table and can be tried. */
export interface BehaviourWorld {
  program(state: BehaviourState): Promise<void>;
  /** What many attempts see; tried until `expected` has been seen and nothing else for long enough. */
  attempt(from: Client, to: Place, expected: readonly Outcome[]): Promise<ReadonlySet<Outcome>>;
}

/** Expectations of one client of one place. */
export function client(from: Client) {
  return {
    to: (to: Place) => {
      const end = (...outcomes: readonly Outcome[]): Expectation => ({ from, to, outcomes });
      const answered = (pods: string, source: 'kept' | 'replaced') =>
        end(...pods.split(' ').map((pod) => (from === 'node' ? pod : `${pod} ${source}`)));
      return {
        /** Pods by their letters, `'a b'`; they see the client's own address. */
        reaches: (pods: string) => answered(pods, 'kept'),
        /** They see the node's address. */
        reachesAsNode: (pods: string) => answered(pods, 'replaced'),
        ends: end,
        isRefused: () => end('refused'),
        isUnreachable: () => end('unreachable'),
        hearsNothing: () => end('silence'),
      };
    },
  };
}

export const fromPod = client('a');
export const fromOtherPod = client('c');
export const fromNode = client('node');
export const fromOutside = client('outside');

export function place(address: IpAddress, port: number, protocol: Protocol = 'TCP'): Place {
  return { address, port, protocol };
}

export const AT_CLUSTER_IP = place(CLUSTER_IP, SERVICE_PORT);
export const AT_NODE_PORT = place(NODE_ADDRESS, NODE_PORT);
export const AT_BALANCER = place(EXTERNAL_ADDRESS, SERVICE_PORT);
export const udp = (at: Place): Place => ({ ...at, protocol: 'UDP' });
export const sctp = (at: Place): Place => ({ ...at, protocol: 'SCTP' });
