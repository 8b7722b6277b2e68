import type { Frontend } from '../../table/entry.ts';
import { PROTOCOLS, type TransportProtocol } from '../../table/transport.ts';
import type { NftChain, NftField, NftStatement } from '../nft/model.ts';
import { DESTINATION } from '../nft/rules.ts';
import { endpointMap, localEndpointMap } from './endpoint-maps.ts';

/**
 * Chains that Services go to. They depend on numbers of endpoints only, so that Services share them, and a name says
 * all that is in a chain:
 *
 * - `ep3`: one of 3 endpoints of the endpoint maps; `local2`: one of 2 local ones
 * - `ep3_local2`: the node's own Pods and processes `ep3`, everyone else `local2` (`ep3_local0`: everyone else nothing)
 * - `sticky_X`: where the client went before, else `X`
 * - `ranged_X`: `X` for sources that are allowed, nothing for others
 * - `learn_10800`: remembers a client's endpoint for that many seconds
 */
export type TargetChainName = string & { readonly __targetChain: unique symbol };

/** The chain of a frontend with endpoints; undefined where nobody is let through (the verdict is in the map itself). */
export function targetChain(frontend: Frontend): TargetChainName | undefined {
  if (frontend.target.kind !== 'endpoints') return undefined;
  let name = `ep${frontend.target.endpoints.length}`;
  if (frontend.outside !== undefined)
    name += `_local${frontend.outside.kind === 'endpoints' ? frontend.outside.endpoints.length : 0}`;
  if (isSticky(frontend)) name = `sticky_${name}`;
  if (frontend.sourceRanges !== undefined) name = `ranged_${name}`;
  return name as TargetChainName;
}

export function isSticky(frontend: Frontend): frontend is Frontend & { readonly affinitySeconds: number } {
  return frontend.affinitySeconds !== undefined;
}

export function learnChain(seconds: number): TargetChainName {
  return `learn_${seconds}` as TargetChainName;
}

const NAME =
  /^(?:learn_(?<seconds>\d+)|(?<ranged>ranged_)?(?<sticky>sticky_)?(?:ep(?<all>\d+)(?:_local(?<outside>\d+))?|local(?<local>\d+)))$/;

export function isTargetChain(name: string): name is TargetChainName {
  return NAME.test(name);
}

/** What is in the chain of that name, and the chains that it goes to: those must exist before it. */
export function targetChainBody(name: TargetChainName): {
  readonly chain: NftChain;
  readonly needs: readonly TargetChainName[];
} {
  const parts = NAME.exec(name)?.groups ?? {};
  const rest = (prefix: string) => name.slice(prefix.length) as TargetChainName;
  const chain = (rules: NftChain['rules'], needs: readonly TargetChainName[] = []) => ({
    chain: { name, hook: undefined, rules },
    needs,
  });
  const goto = (to: string): NftStatement => ({ do: 'goto', chain: to });
  if (parts['seconds'] !== undefined) return chain(learnRules(Number(parts['seconds'])));
  if (parts['ranged'] !== undefined) {
    const inner = rest('ranged_');
    const allowed: NftStatement = {
      do: 'lookup',
      key: [...DESTINATION, 'saddr'],
      set: 'allowed_sources',
      negate: false,
    };
    return chain([[allowed, goto(inner)], [{ do: 'drop' }]], [inner]);
  }
  if (parts['sticky'] !== undefined) {
    const inner = rest('sticky_');
    return chain(
      [[TRANSPORT, { do: 'dnat', key: ['saddr', ...DESTINATION], map: 'affinity' }], [goto(inner)]],
      [inner],
    );
  }
  if (parts['local'] !== undefined) return chain(balance(Number(parts['local']), localEndpointMap));
  const all = Number(parts['all']);
  if (parts['outside'] === undefined) return chain(balance(all, endpointMap));
  const inside = `ep${all}` as TargetChainName;
  const local = `local${parts['outside']}` as TargetChainName;
  const none = parts['outside'] === '0';
  return chain(
    [
      [{ do: 'lookup', key: ['saddr'], set: 'pod_cidrs', negate: false }, goto(inside)],
      [{ do: 'match', field: 'fib saddr type', values: ['local'] }, goto(inside)],
      [none ? { do: 'drop' } : goto(local)],
    ],
    none ? [inside] : [inside, local],
  );
}

/** nft takes a port for `dnat` only where a match has said that the packet has ports. */
const TRANSPORT: NftStatement = { do: 'match', field: 'l4proto', values: PROTOCOLS };

/**
 * A packet that was sent here with the old count may find that the last slots have just gone: a change is one transaction, but the
 * kernel looks up each map as it is at that moment. The first slot is there as long as there is an endpoint.
 */
function balance(count: number, map: (protocol: TransportProtocol) => string): NftChain['rules'] {
  const draw = (slots: number) =>
    PROTOCOLS.map((protocol): NftChain['rules'][number] => [
      { do: 'match', field: 'l4proto', values: [protocol] },
      { do: 'dnat', key: ['daddr', 'dport', { random: slots }], map: map(protocol) },
    ]);
  return count === 1 ? draw(1) : [...draw(count), ...draw(1)];
}

/**
 * Runs after translation: daddr and dport are the endpoint's. What leads to an endpoint that has left since is forgotten and the
 * packet dropped; the client's next try finds another endpoint. So nothing has to look for such entries when an endpoint leaves.
 */
function learnRules(timeout: number): NftChain['rules'] {
  const client: readonly NftField[] = ['saddr', 'ct original daddr', 'l4proto', 'ct original dport'];
  const data: readonly NftField[] = ['daddr', 'dport'];
  const key: readonly NftField[] = ['ct original daddr', 'l4proto', 'ct original dport', ...data];
  return PROTOCOLS.flatMap((protocol): NftChain['rules'] => {
    const transport: NftStatement = { do: 'match', field: 'l4proto', values: [protocol] };
    return [
      [
        transport,
        { do: 'lookup', key, set: 'affine_endpoints', negate: false },
        { do: 'learn', key: client, map: 'affinity', data, timeout },
        { do: 'return' },
      ],
      [transport, { do: 'forget', key: client, map: 'affinity', data }, { do: 'drop' }],
    ];
  });
}
