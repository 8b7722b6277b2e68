import type { IpFamily } from '#ip';
import { JUMPS } from './fixed-rules.ts';
import { type ChainId, IPT_TABLES, type IptTable, splitChainId } from './model.ts';
import type { ObservedChains } from './observed.ts';
import { ruleText } from './text.ts';

/** A change of one family's rules, as a value that prints: {@link changeText}. */
export interface IptChange {
  readonly chains: readonly ChainChange[];
  readonly jumps: readonly JumpChange[];
}

export interface ChainChange {
  readonly id: ChainId;
  readonly before: readonly string[] | undefined;
  /** undefined: it goes. */
  readonly after: readonly string[] | undefined;
}

export interface JumpChange {
  readonly do: 'insert' | 'delete';
  readonly table: IptTable;
  readonly from: string;
  readonly rule: string;
}

/**
 * What is missing, and what leads to our chains in another way than it should.
 * @param observed jumps; `canonical` reads a rule as this version writes it
 */
export function jumpChanges(
  observed: ObservedChains['jumps'],
  family: IpFamily,
  canonical: (rule: string) => string,
): readonly JumpChange[] {
  const missing = new Map(
    JUMPS.map(({ table, from, rule }) => {
      const text = ruleText(rule, family);
      return [`${table} ${from} ${text}`, { do: 'insert', table, from, rule: text } as const];
    }),
  );
  const deletes = observed
    .filter(({ table, from, rule }) => !missing.delete(`${table} ${from} ${canonical(rule)}`))
    .map((jump) => ({ do: 'delete', ...jump }) as const);
  return [...missing.values(), ...deletes];
}

/**
 * Removes all that was seen, one step after the other. First what translates destinations: a packet that is between PREROUTING and
 * POSTROUTING at that moment still finds what translates its source, without which its answers would go astray, and those to all that the
 * client sends on this connection.
 */
export function removal({ chains, jumps }: ObservedChains): readonly IptChange[] {
  const deletes = jumps.map((jump) => ({ do: 'delete', ...jump }) as const);
  const isFirst = ({ table, from }: JumpChange) => table === 'nat' && from !== 'POSTROUTING';
  const first = deletes.filter(isFirst);
  const rest = {
    chains: [...chains].map(([id, before]) => ({ id, before, after: undefined })),
    jumps: deletes.filter((jump) => !isFirst(jump)),
  };
  return [{ chains: [], jumps: first }, rest].filter((step) => step.chains.length + step.jumps.length > 0);
}

/**
 * The change as input for iptables-restore --noflush. A table is one transaction, so their order matters: what is refused or dropped from
 * now on is known to table filter before nat stops translating it, and what is translated from now on is translated before filter
 * stops refusing it.
 */
export function changeText({ chains, jumps }: IptChange): string {
  const of = (table: IptTable) => chains.filter(({ id }) => splitChainId(id).table === table);
  const shrinking = of('filter').filter(onlyLoses);
  const filter = of('filter').filter((change) => !shrinking.includes(change));
  const jumpsOf = (table: IptTable, what?: JumpChange['do']) =>
    jumps.filter((jump) => jump.table === table && (what === undefined || jump.do === what));
  return [
    ...transaction('filter', filter, jumpsOf('filter', 'insert')),
    ...transaction('nat', of('nat'), jumpsOf('nat')),
    ...transaction('filter', shrinking, jumpsOf('filter', 'delete')),
    '',
  ].join('\n');
}

/** How many transactions {@link changeText} is. */
export function transactions(text: string): number {
  return text.split('\n').filter((line) => line === 'COMMIT').length;
}

/** Whether every rule was there before: then the change can only let more through. */
function onlyLoses({ before, after }: ChainChange): boolean {
  const known = new Set(before);
  return (after ?? []).every((rule) => known.has(rule));
}

/** Declaring a chain makes or empties it; one that goes is deleted when nothing leads to it any more. */
function transaction(
  table: IptTable,
  chains: readonly ChainChange[],
  jumps: readonly JumpChange[],
): readonly string[] {
  if (chains.length === 0 && jumps.length === 0) return [];
  const named = chains.map(({ id, after }) => ({ name: splitChainId(id).name, after }));
  return [
    `*${table}`,
    ...named.map(({ name }) => `:${name} - [0:0]`),
    ...named.flatMap(({ name, after }) => (after ?? []).map((rule) => `-A ${name} ${rule}`)),
    ...jumps.map(({ do: what, from, rule }) => `${what === 'insert' ? '-I' : '-D'} ${from} ${rule}`),
    ...named.filter(({ after }) => after === undefined).map(({ name }) => `-X ${name}`),
    'COMMIT',
  ];
}

/** Asks whether the rules that lead to our chains are there. */
export function jumpsQuestion(family: IpFamily): string {
  return [
    ...IPT_TABLES.flatMap((table) => [
      `*${table}`,
      ...JUMPS.filter((jump) => jump.table === table).map(
        ({ from, rule }) => `-C ${from} ${ruleText(rule, family)}`,
      ),
      'COMMIT',
    ]),
    '',
  ].join('\n');
}
