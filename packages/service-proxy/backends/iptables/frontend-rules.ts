import { hostPrefix, type IpPrefix } from '#ip';
import { type Endpoint, type Frontend, keyOf, type Target } from '../../table/entry.ts';
import { transport } from '../../table/transport.ts';
import { type ChainId, chainId, type IptRule } from './model.ts';
import {
  affinityList,
  frontendChains,
  MASQUERADE_CLUSTER,
  MASQUERADE_NODE,
  MASQUERADE_SELF,
  REFUSE,
} from './names.ts';

/** The chains of a frontend's own, all of table nat; none when nobody answers there. */
export function frontendChainRules(
  frontend: Frontend,
  podCIDRs: readonly IpPrefix[],
): ReadonlyMap<ChainId, readonly IptRule[]> {
  const chains = new Map<ChainId, readonly IptRule[]>();
  const { target, outside, sourceRanges } = frontend;
  if (!isTranslated(frontend)) return chains;
  const { ranged, main, own } = frontendChains(keyOf(frontend));
  if (sourceRanges !== undefined)
    chains.set(
      chainId('nat', ranged),
      sourceRanges.map((source) => ({ source, verdict: { do: 'goto', chain: main } })),
    );
  if (outside === undefined) chains.set(chainId('nat', main), targetRules(frontend, target));
  else {
    const ours: readonly Omit<IptRule, 'verdict'>[] = [
      ...podCIDRs.map((source) => ({ source })),
      { local: 'source' },
    ];
    chains.set(chainId('nat', main), [
      ...ours.map((match): IptRule => ({ ...match, verdict: { do: 'goto', chain: own } })),
      ...targetRules(frontend, outside),
    ]);
    chains.set(chainId('nat', own), targetRules(frontend, target));
  }
  return chains;
}

/** What leads to the chains. */
export function entranceRule(frontend: Frontend, service: string): IptRule | undefined {
  if (!isTranslated(frontend)) return undefined;
  const { ranged, main } = frontendChains(keyOf(frontend));
  const chain = frontend.sourceRanges === undefined ? main : ranged;
  const comment = frontend.portName === '' ? service : `${service}:${frontend.portName}`;
  return { ...destinationOf(frontend), comment, verdict: { do: 'goto', chain } };
}

/** What happens to a new connection that nobody translated: refused, or silence. */
export function untranslatedRule(frontend: Frontend): IptRule | undefined {
  if (frontend.target.kind === 'reject')
    return { ...destinationOf(frontend), verdict: { do: 'goto', chain: REFUSE } };
  const silent =
    frontend.target.kind === 'drop' ||
    frontend.outside?.kind === 'drop' ||
    frontend.sourceRanges !== undefined;
  return silent ? { ...destinationOf(frontend), verdict: { do: 'drop' } } : undefined;
}

/** Whose address is replaced among those that were translated. Cluster IPs have one rule for all their ports. */
export function masqueradeRule(frontend: Frontend): IptRule | undefined {
  const destination = hostPrefix(frontend.address);
  const protocol = transport(frontend.protocol);
  const atPort = { protocol, original: { destination, port: frontend.port } };
  switch (frontend.masquerade) {
    case 'outside-cluster':
      return { original: { destination }, verdict: { do: 'goto', chain: MASQUERADE_CLUSTER } };
    case 'outside-node':
      return { ...atPort, verdict: { do: 'goto', chain: MASQUERADE_NODE } };
    case 'node-itself':
      return { ...atPort, verdict: { do: 'goto', chain: MASQUERADE_SELF } };
    case 'none':
      return undefined;
  }
}

function isTranslated({ target, outside }: Frontend): boolean {
  return target.kind === 'endpoints' || outside?.kind === 'endpoints';
}

/** nat cannot drop or refuse: then nothing is said here, and table filter has the rest. */
function targetRules(frontend: Frontend, target: Target): readonly IptRule[] {
  if (target.kind !== 'endpoints') return [];
  const { affinitySeconds } = frontend;
  const key = keyOf(frontend);
  const protocol = transport(frontend.protocol);
  const to = ({ address, port }: Endpoint) => ({ protocol, verdict: { do: 'dnat', address, port } }) as const;
  const remembered =
    affinitySeconds === undefined
      ? []
      : target.endpoints.map((endpoint): IptRule => {
          const list = affinityList(key, endpoint);
          return { ...to(endpoint), recent: { do: 'update', list, seconds: affinitySeconds } };
        });
  const drawn = target.endpoints.map((endpoint, i): IptRule => {
    const left = target.endpoints.length - i;
    return {
      ...to(endpoint),
      ...(left > 1 && { probability: 1 / left }),
      ...(affinitySeconds !== undefined && { recent: { do: 'set', list: affinityList(key, endpoint) } }),
    };
  });
  return [...remembered, ...drawn];
}

function destinationOf({ address, protocol, port }: Frontend) {
  return { destination: hostPrefix(address), protocol: transport(protocol), port };
}
