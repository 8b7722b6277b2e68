import type { IpFamily } from '#ip';
import { KernelError } from '../errors.ts';
import type { IptablesPort, IptablesVariant } from '../ports/iptables.ts';
import { FakeLimitError } from './limit-error.ts';
import type { NamespaceState } from './state.ts';

type Chains = Map<string, readonly string[]>;

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
};
/** XT_EXTENSION_MAXNAMELEN less the terminator. */
const MAX_NAME = 28;

/** Models chains, their order of rules and what refers to what; a rule's text is kept as it is, of it only `-j` and `-g` are understood. */
export class FakeIptables implements IptablesPort {
  readonly #state: NamespaceState;

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  variants(): readonly IptablesVariant[] {
    return ['nft', 'legacy'];
  }

  async tables(variant: IptablesVariant, family: IpFamily): Promise<readonly string[]> {
    const prefix = `${variant} ${family} `;
    return [...this.#state.iptables.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
  }

  async save(variant: IptablesVariant, family: IpFamily, table: string): Promise<string> {
    const chains = this.#state.iptables.get(`${variant} ${family} ${table}`) ?? newTable(table);
    const lines = [`*${table}`];
    for (const name of chains.keys()) lines.push(`:${name} ${isBuiltIn(table, name) ? 'ACCEPT' : '-'} [0:0]`);
    for (const [name, rules] of chains) for (const rule of rules) lines.push(`-A ${name} ${rule}`);
    return [...lines, 'COMMIT', ''].join('\n');
  }

  async restore(variant: IptablesVariant, family: IpFamily, input: string): Promise<void> {
    this.#restore(this.#state.iptables, `${variant} ${family}`, input);
  }

  async test(variant: IptablesVariant, family: IpFamily, input: string): Promise<void> {
    this.#restore(new Map(), `${variant} ${family}`, input);
  }

  #restore(tables: Map<string, ReadonlyMap<string, readonly string[]>>, owner: string, input: string): void {
    let table: { readonly name: string; readonly chains: Chains } | undefined;
    for (const line of input.split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      if (line.startsWith('*')) {
        const name = line.slice(1);
        table = { name, chains: new Map(tables.get(`${owner} ${name}`) ?? newTable(name)) };
      } else if (table === undefined) throw invalid(line);
      else if (line === 'COMMIT') {
        tables.set(`${owner} ${table.name}`, table.chains);
        table = undefined;
      } else change(table.chains, table.name, line);
    }
    if (table !== undefined) throw invalid('no COMMIT');
  }
}

function change(chains: Chains, table: string, line: string): void {
  if (line.startsWith(':')) {
    const name = line.slice(1, line.indexOf(' '));
    if (name.length > MAX_NAME) throw invalid(line);
    chains.set(name, isBuiltIn(table, name) ? (chains.get(name) ?? []) : []);
    return;
  }
  const [, command, name = '', rule = ''] = /^-([A-Z]) (\S+) ?(.*)$/.exec(line) ?? [];
  const rules = chains.get(name);
  if (rules === undefined) throw invalid(line);
  const target = /(?:^| )-[jg] (\S+)/.exec(rule)?.[1];
  if (target?.startsWith('PODWAY') && !chains.has(target)) throw invalid(line);
  const index = rules.indexOf(rule);
  switch (command) {
    case 'A':
      chains.set(name, [...rules, rule]);
      return;
    case 'I':
      chains.set(name, [rule, ...rules]);
      return;
    case 'D':
    case 'C':
      if (index < 0) throw invalid(line);
      if (command === 'D') chains.set(name, rules.toSpliced(index, 1));
      return;
    case 'X':
      if (rules.length > 0 || isBuiltIn(table, name) || isUsed(chains, name)) throw invalid(line);
      chains.delete(name);
      return;
    default:
      throw new FakeLimitError(`the fake kernel does not read ${JSON.stringify(line)} of iptables`);
  }
}

function isUsed(chains: Chains, name: string): boolean {
  const refers = (rule: string) => / ?-[jg] (\S+)/.exec(rule)?.[1] === name;
  return [...chains.values()].some((rules) => rules.some(refers));
}

function newTable(name: string): Chains {
  const names = BUILT_IN[name];
  if (names === undefined) throw invalid(`*${name}`);
  return new Map(names.map((chain) => [chain, []]));
}

function isBuiltIn(table: string, chain: string): boolean {
  return BUILT_IN[table]?.includes(chain) ?? false;
}

function invalid(line: string): KernelError {
  return new KernelError({ errno: 'EINVAL', operation: 'run', object: 'iptables-restore', detail: line });
}
