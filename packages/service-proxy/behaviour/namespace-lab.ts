import { type IpAddress, type IpFamily, parseIp, parsePrefix } from '#ip';
import type { Kernel, NetworkNamespace } from '#kernel';
import { AnsweringServers } from './answering-servers.ts';
import { attempt, type UdpFlow, udpFlow } from './attempt.ts';
import type { Client, Outcome, Place } from './case.ts';
import {
  EXTERNAL_ADDRESS,
  HOSTS,
  NODE_ADDRESS,
  OTHER_NODE_ADDRESS,
  OUTSIDE_ADDRESS,
  PODS,
  type PodName,
  TARGET_PORT,
} from './cluster.ts';
import { inFamily } from './in-family.ts';

const DIRECTORY = '/run/netns/behaviour-';
/** An answer that must come is waited for as long as a busy machine may take. */
const PATIENCE_MS = 30_000;
/** Silence that may be the answer has lasted so long. The virtual machine that tests of IPVS run in (test/vm) is slow. */
export const SILENCE_MS = process.env['PODWAY_TEST_VM'] === undefined ? 300 : 1_000;
const MEETING_TRIES = 30;
const POD_NAMES = Object.keys(PODS) as readonly PodName[];

/**
 * The cluster of the cases in network namespaces: the node, its two Pods on a bridge, the other node (a router for all the rest)
 * with its two, and the client outside. Every Pod answers on TCP and UDP with its name and the client's address as it sees it.
 */
export class NamespaceLab implements AsyncDisposable {
  readonly node: NetworkNamespace;
  readonly #kernel: Kernel;
  readonly #namespaces = new Map<string, NetworkNamespace>();
  readonly #servers = new AnsweringServers();
  readonly family: IpFamily;
  readonly #answerMs: number;

  /** @param answerMs who has not answered until then is silent, where an attempt says nothing else */
  constructor(kernel: Kernel, family: IpFamily = 'IPv4', answerMs = PATIENCE_MS) {
    this.#kernel = kernel;
    this.#answerMs = answerMs;
    this.family = family;
    for (const name of ['node', 'lan', 'outside', ...POD_NAMES]) {
      const netns = kernel.createNetns(DIRECTORY + name);
      netns.links.set('lo', { up: true });
      this.#namespaces.set(name, netns);
    }
    this.node = this.#netns('node');
    const lan = this.#netns('lan');
    this.#connect('node', 'eth0', NODE_ADDRESS, 'lan', 'eth0', OTHER_NODE_ADDRESS);
    this.#connect('lan', 'eth1', parseIp('198.51.100.1'), 'outside', 'eth0', OUTSIDE_ADDRESS);
    this.#pods('node', parseIp('10.244.1.1'), ['a', 'b']);
    this.#pods('lan', parseIp('10.244.2.1'), ['c', 'd']);
    this.#route('node', '0.0.0.0/0', OTHER_NODE_ADDRESS);
    this.#route('outside', '0.0.0.0/0', parseIp('198.51.100.1'));
    for (const prefix of ['10.244.1.0/24', '10.96.0.0/16', `${EXTERNAL_ADDRESS}/32`])
      this.#route('lan', prefix, NODE_ADDRESS);
    const forward = family === 'IPv4' ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
    for (const netns of [this.node, lan]) netns.sysctl.set(forward, '1');
  }

  /** Starts the Pods' servers and one on each node, on {@link TARGET_PORT} and the one after it. */
  async serve(): Promise<void> {
    for (const name of POD_NAMES)
      for (const port of [TARGET_PORT, TARGET_PORT + 1]) await this.#serve(name, name, PODS[name], port);
    await this.#serve('here', 'node', HOSTS.here, TARGET_PORT);
    await this.#serve('there', 'lan', HOSTS.there, TARGET_PORT);
    for (const from of ['node', 'outside', ...POD_NAMES] as const)
      for (const pod of POD_NAMES) await this.#meet(from, pod);
  }

  #serve(name: string, place: string, address: IpAddress, port: number): Promise<void> {
    return this.#servers.start(name, this.#netns(place), inFamily(this.family, address), port);
  }

  /** Until neighbours have found each other: the first packets on a new link may be lost. */
  async #meet(from: Client, pod: PodName): Promise<void> {
    const to: Place = { address: inFamily(this.family, PODS[pod]), port: TARGET_PORT, protocol: 'TCP' };
    for (let tries = 0; tries < MEETING_TRIES; tries++)
      if ((await this.attempt(from, to, SILENCE_MS)).startsWith(pod)) return;
    throw new Error(`${from} does not reach ${pod}`);
  }

  pod(name: PodName): NetworkNamespace {
    return this.#netns(name);
  }

  async attempt(from: Client, to: Place, answerMs = this.#answerMs): Promise<Outcome> {
    const answer = await attempt(this.#netns(from), to, answerMs);
    const [pod, seen] = answer.split(' ');
    if (seen === undefined) return answer;
    if (from === 'node') return pod ?? answer;
    const own = inFamily(this.family, from === 'outside' ? OUTSIDE_ADDRESS : PODS[from]);
    return `${pod} ${seen === own ? 'kept' : 'replaced'}`;
  }

  udpFlow(from: Client, to: Place): UdpFlow {
    return udpFlow(this.#netns(from), to, this.#answerMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#servers[Symbol.dispose]();
    for (const [name, netns] of this.#namespaces) {
      netns[Symbol.dispose]();
      this.#kernel.deleteNetns(DIRECTORY + name);
    }
  }

  #netns(name: string): NetworkNamespace {
    const netns = this.#namespaces.get(name);
    if (netns === undefined) throw new Error(`no namespace ${name}`);
    return netns;
  }

  #connect(
    a: string,
    aLink: string,
    aAddress: IpAddress,
    b: string,
    bLink: string,
    bAddress: IpAddress,
  ): void {
    const near = this.#netns(a);
    const far = this.#netns(b);
    near.links.add({ kind: 'veth', name: aLink, up: true, peer: { name: bLink, up: true, netns: far } });
    this.#address(a, aLink, aAddress);
    this.#address(b, bLink, bAddress);
  }

  #pods(on: string, gateway: IpAddress, names: readonly PodName[]): void {
    const host = this.#netns(on);
    host.links.add({ kind: 'bridge', name: 'cni0', up: true });
    this.#address(on, 'cni0', gateway);
    for (const name of names) {
      const pod = this.#netns(name);
      const peer = { name: 'eth0', up: true, netns: pod };
      host.links.add({ kind: 'veth', name: `pod-${name}`, up: true, master: 'cni0', peer });
      host.links.set(`pod-${name}`, { hairpin: true });
      this.#address(name, 'eth0', PODS[name]);
      this.#route(name, '0.0.0.0/0', gateway);
    }
  }

  #route(name: string, destination: string, gateway: IpAddress): void {
    const route = { destination: parsePrefix(destination), gateway };
    this.#netns(name).routes.add(inFamily(this.family, route));
  }

  #address(name: string, link: string, address: IpAddress): void {
    const prefixLength = this.family === 'IPv4' ? 24 : 112;
    this.#netns(name).addresses.add({
      link,
      address: inFamily(this.family, address),
      prefixLength,
      ...(this.family === 'IPv6' && { noDad: true }),
    });
  }
}
