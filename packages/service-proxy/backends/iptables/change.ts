import type { IpFamily } from '#ip';
import { JUMPS } from './fixed-rules.ts';
import { type ChainId, IPT_TABLES, type IptTable, splitChainId } from './model.ts';
import type { ObservedChains } from './observed.ts';
import { ruleText } from './text.ts';

/** A change of one family's rules, as a value that prints: {@link changeLines}. */
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
 * The change as lines of input for iptables-restore --noflush. A table is one transaction, so their order matters: what is refused or dropped
 * from now on is known to table filter before nat stops translating it, and what is translated from now on is translated before filter
 * stops refusing it.
 */
export function* changeLines({ chains, jumps }: IptChange): Iterable<string> {
  const of = (table: IptTable) => chains.filter(({ id }) => splitChainId(id).table === table);
  const filter = of('filter');
  const jumpsOf = (table: IptTable, what?: JumpChange['do']) =>
    jumps.filter((jump) => jump.table === table && (what === undefined || jump.do === what));
  yield* transaction(
    'filter',
    filter.filter((change) => !onlyLoses(change)),
    jumpsOf('filter', 'insert'),
  );
  yield* transaction('nat', of('nat'), jumpsOf('nat'));
  yield* transaction('filter', filter.filter(onlyLoses), jumpsOf('filter', 'delete'));
}

/** The last line of each transaction. */
export const COMMIT = 'COMMIT';

/** Whether every rule was there before: then the change can only let more through. */
function onlyLoses({ before, after }: ChainChange): boolean {
  const known = new Set(before);
  return (after ?? []).every((rule) => known.has(rule));
}

/** Declaring a chain makes or empties it; one that goes is deleted when nothing leads to it any more. */
function* transaction(
  table: IptTable,
  chains: readonly ChainChange[],
  jumps: readonly JumpChange[],
): Iterable<string> {
  if (chains.length === 0 && jumps.length === 0) return;
  yield `*${table}`;
  const named = chains.map(({ id, after }) => ({ name: splitChainId(id).name, after }));
  for (const { name } of named) yield `:${name} - [0:0]`;
  for (const { name, after } of named) for (const rule of after ?? []) yield `-A ${name} ${rule}`;
  for (const { do: what, from, rule } of jumps) yield `${what === 'insert' ? '-I' : '-D'} ${from} ${rule}`;
  for (const { name, after } of named) if (after === undefined) yield `-X ${name}`;
  yield COMMIT;
}

/** Asks whether the rules that lead to our chains are there. */
export function jumpsQuestion(family: IpFamily): string {
  return [
    ...IPT_TABLES.flatMap((table) => [
      `*${table}`,
      ...JUMPS.filter((jump) => jump.table === table).map(
        ({ from, rule }) => `-C ${from} ${ruleText(rule, family)}`,
      ),
      COMMIT,
    ]),
    '',
  ].join('\n');
}
