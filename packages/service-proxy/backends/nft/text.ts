import type { IpFamily } from '#ip';
import type { NftChain, NftElement, NftField, NftRule, NftSet, NftStatement, NftType } from './model.ts';

/** nft's name of the family's table: `ip` or `ip6`. */
export function tableFamily(family: IpFamily): 'ip' | 'ip6' {
  return family === 'IPv4' ? 'ip' : 'ip6';
}

/** Entries an affinity map holds before the oldest must go: bounds kernel memory at about 20 MB. */
const AFFINITY_SIZE = 131_072;

export function setText(set: NftSet, family: IpFamily, table: string): string {
  const kind = set.data === undefined ? 'set' : 'map';
  const flags =
    set.kind === 'interval'
      ? ' flags interval;'
      : set.kind === 'learned'
        ? ` flags dynamic, timeout; timeout 3h; size ${AFFINITY_SIZE};`
        : '';
  return `add ${kind} ${tableFamily(family)} ${table} ${set.name} { ${typesText(set, family)};${flags} }`;
}

function typesText(set: NftSet, family: IpFamily): string {
  // Only `typeof` can say what numgen gives.
  if (set.protocol !== undefined) {
    const place = `${tableFamily(family)} daddr . ${set.protocol} dport`;
    return `typeof ${place} . numgen random mod 2 : ${place}`;
  }
  const join = (types: readonly NftType[]) => types.map((type) => typeName(type, family)).join(' . ');
  const data = set.data === undefined ? '' : ` : ${set.data === 'verdict' ? 'verdict' : join(set.data)}`;
  return `type ${join(set.key)}${data}`;
}

function typeName(type: NftType, family: IpFamily): string {
  switch (type) {
    case 'address':
      return family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';
    case 'protocol':
      return 'inet_proto';
    case 'port':
      return 'inet_service';
    case 'slot':
      return 'integer';
    case 'mark':
      return 'mark';
  }
}

export function chainText(chain: NftChain, family: IpFamily, table: string): string {
  const { hook } = chain;
  const body =
    hook === undefined
      ? ''
      : ` { type ${hook.type} hook ${hook.at} priority ${hook.priority}; policy accept; }`;
  return `add chain ${tableFamily(family)} ${table} ${chain.name}${body}`;
}

export function ruleTexts(chain: NftChain, family: IpFamily, table: string): readonly string[] {
  return chain.rules.map(
    (rule) => `add rule ${tableFamily(family)} ${table} ${chain.name} ${ruleText(rule, family)}`,
  );
}

export function ruleText(rule: NftRule, family: IpFamily): string {
  // After a match on one protocol nft takes that protocol's port and not the generic one.
  const protocol = rule
    .map((statement) => (statement.do === 'match' && statement.field === 'l4proto' ? statement.values : []))
    .find((values) => values.length === 1)?.[0];
  return rule.map((statement) => statementText(statement, family, protocol ?? 'th')).join(' ');
}

function statementText(statement: NftStatement, family: IpFamily, transport: string): string {
  const field = (one: NftField) => (one === 'dport' ? `${transport} dport` : fieldText(one, family));
  const key = (fields: readonly NftField[]) => fields.map(field).join(' . ');
  switch (statement.do) {
    case 'match': {
      const { values } = statement;
      return `${field(statement.field)} ${values.length === 1 ? values[0] : `{ ${values.join(', ')} }`}`;
    }
    case 'lookup':
      return `${key(statement.key)} ${statement.negate ? '!= ' : ''}@${statement.set}`;
    case 'verdict map':
      return `${key(statement.key)} vmap @${statement.map}`;
    case 'dnat':
      return `dnat ${tableFamily(family)} to ${key(statement.key)} map @${statement.map}`;
    case 'keep destination':
      return `dnat ${tableFamily(family)} to ${field('daddr')}`;
    case 'set mark':
      return `meta mark set ${key(statement.key)} map @${statement.map}`;
    case 'learn':
      return `update @${statement.map} { ${key(statement.key)} timeout ${statement.timeout}s : ${key(statement.data)} }`;
    case 'forget':
      return `delete @${statement.map} { ${key(statement.key)} : ${key(statement.data)} }`;
    case 'goto':
    case 'jump':
      return `${statement.do} ${statement.chain}`;
    case 'reject':
      return `reject with ${rejectText(statement.with, family)}`;
    case 'masquerade':
    case 'drop':
    case 'return':
      return statement.do;
    case 'unknown':
      return `# ${statement.what}`;
  }
}

function rejectText(how: 'tcp reset' | 'port-unreachable' | 'host-unreachable', family: IpFamily): string {
  if (how === 'tcp reset') return how;
  if (family === 'IPv4') return `icmp ${how}`;
  return `icmpv6 ${how === 'host-unreachable' ? 'addr-unreachable' : how}`;
}

function fieldText(field: Exclude<NftField, 'dport'>, family: IpFamily): string {
  const ip = tableFamily(family);
  if (typeof field !== 'string') return `numgen random mod ${field.random}`;
  switch (field) {
    case 'saddr':
    case 'daddr':
      return `${ip} ${field}`;
    case 'l4proto':
      return 'meta l4proto';
    case 'ct original daddr':
      return `ct original ${ip} daddr`;
    case 'ct original dport':
      return 'ct original proto-dst';
    case 'ct state':
    case 'ct status':
    case 'fib saddr type':
    case 'fib daddr type':
      return field;
  }
}

export function elementText(
  op: 'add' | 'delete',
  element: NftElement,
  family: IpFamily,
  table: string,
): string {
  const value = op === 'add' && element.value !== '' ? ` : ${element.value}` : '';
  return `${op} element ${tableFamily(family)} ${table} ${element.set} { ${element.key}${value} }`;
}
