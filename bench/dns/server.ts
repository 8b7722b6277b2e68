/**
 * Podway's side of the DNS benchmark: a server over informers that are fed by hand, as a process of its own.
 */

import { createInterface } from 'node:readline';
import { createDnsServer } from '#dns';
import { parseIp } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import {
  ENDPOINTS_EACH,
  endpointAddress,
  HEADLESS,
  indices,
  PORTS,
  SERVICES,
  serviceAddress,
} from './cluster.ts';

export interface ServerMemory {
  readonly addedMiB: number;
  readonly relistPeakRatio: number;
}

/**
 * The server's process: answers until it is killed. `service INDEX GENERATION` and `endpoint INDEX GENERATION` on its input
 * are informers' events, and "changed" comes back when their listeners have returned; `memory` reports what the data take.
 */
async function serve(): Promise<void> {
  const services = new MemoryInformer<Service>();
  const endpointSlices = new MemoryInformer<EndpointSlice>();
  const server = await createDnsServer({
    services,
    endpointSlices,
    listen: [{ address: parseIp('127.0.0.1'), port: PORTS.podway }],
    upstreams: [`127.0.0.1:${PORTS.upstream}`],
    // All of them come from one client: it is limited as any is, and may ask so much.
    clientLimits: { queriesPerSecond: 1e9, burst: 1e9 },
  });
  const resident = () => {
    globalThis.gc?.();
    globalThis.gc?.();
    return process.memoryUsage.rss() / 2 ** 20;
  };
  const idle = resident();
  const load = (generation: number) => list(services, endpointSlices, generation);
  load(0);
  for (let i = 0; i < HEADLESS; i++) {
    services.set({ metadata: { namespace: `ns${i}`, name: `pets${i}` }, spec: { clusterIP: 'None' } });
    endpointSlices.set(headlessSlice(i, 0));
  }
  const steady = resident();
  for await (const line of createInterface(process.stdin)) {
    const [word, index = '0', generation = '0'] = line.split(' ');
    if (word === 'service' || word === 'endpoint') {
      if (word === 'service') services.set(serviceObject(Number(index), Number(generation)));
      else endpointSlices.set(headlessSlice(Number(index), Number(generation)));
      process.stdout.write('changed\n');
      continue;
    }
    let peak = resident();
    const before = peak;
    load(1);
    peak = Math.max(peak, process.memoryUsage.rss() / 2 ** 20);
    const memory: ServerMemory = { addedMiB: steady - idle, relistPeakRatio: peak / before };
    process.stdout.write(`${JSON.stringify(memory)}\n`);
  }
  await server[Symbol.asyncDispose]();
}

/** A whole list as a watch brings it: parsed from JSON, a page of 500 at a time. */
function list(
  services: MemoryInformer<Service>,
  slices: MemoryInformer<EndpointSlice>,
  generation: number,
): void {
  for (let page = 0; page < SERVICES; page += 500) {
    const page500 = indices(500, (i) => page + i);
    const text = JSON.stringify({
      services: page500.map((i) => serviceObject(i, generation)),
      slices: page500.map((i) => sliceObject(i, generation)),
    });
    const parsed = JSON.parse(text) as { readonly services: Service[]; readonly slices: EndpointSlice[] };
    for (const each of parsed.services) services.set(each);
    for (const each of parsed.slices) slices.set(each);
  }
}

function serviceObject(i: number, generation: number): Service {
  return {
    metadata: {
      namespace: `ns${i % 100}`,
      name: `svc${i}`,
      uid: `uid-${i}`,
      resourceVersion: `${generation}${i}`,
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: serviceAddress(i, generation),
      clusterIPs: [serviceAddress(i, generation)],
      ports: [{ name: 'http', port: 80 }],
    },
  };
}

function sliceObject(i: number, generation: number): EndpointSlice {
  return {
    metadata: {
      namespace: `ns${i % 100}`,
      name: `svc${i}-abcde`,
      uid: `uid-s${i}`,
      resourceVersion: `${generation}${i}`,
      labels: { 'kubernetes.io/service-name': `svc${i}` },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: indices(ENDPOINTS_EACH, (e) => {
      const n = i * ENDPOINTS_EACH + e;
      return {
        addresses: [`10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`],
        conditions: { ready: true },
      };
    }),
  };
}

function headlessSlice(i: number, generation: number): EndpointSlice {
  return {
    metadata: {
      namespace: `ns${i}`,
      name: `pets${i}-abcde`,
      labels: { 'kubernetes.io/service-name': `pets${i}` },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [endpointAddress(i, generation)], conditions: { ready: true } }],
    ports: [],
  };
}

if (import.meta.main) await serve();
