import { PodwayError } from '#runtime';
import type {
  NftElement,
  NftField,
  NftHook,
  NftListing,
  NftRule,
  NftStatement,
  RejectWith,
} from './model.ts';

/** The listing has something that Podway never writes, or that this version does not know. */
export class UnknownNftError extends PodwayError {
  readonly code = 'UnknownNft';
  readonly fragment: unknown;
  constructor(what: string, fragment: unknown) {
    super(`unknown nftables ${what}: ${JSON.stringify(fragment)}`);
    this.fragment = fragment;
  }
}

/**
 * Parses the objects of `nft -j list table` (libnftables-json(5)). A rule that says what Podway never says becomes one `unknown`
 * statement. @throws UnknownNftError for anything else
 */
export function parseListing(objects: readonly unknown[]): NftListing {
  const sets: string[] = [];
  const elements: NftElement[] = [];
  const chains = new Map<
    string,
    { readonly name: string; readonly hook: NftHook | undefined; readonly rules: NftRule[] }
  >();
  for (const object of objects) {
    const [kind, body] = onlyEntry(object, 'object');
    switch (kind) {
      case 'metainfo':
      case 'table':
        break;
      case 'set':
      case 'map': {
        const { name, flags, elem } = fields(body);
        sets.push(String(name));
        // What packets taught is no business of ours.
        if (list(flags).includes('timeout')) break;
        for (const item of list(elem)) elements.push(parseElement(String(name), kind, item));
        break;
      }
      case 'chain': {
        const { name } = fields(body);
        chains.set(String(name), { name: String(name), hook: parseHook(body), rules: [] });
        break;
      }
      case 'rule': {
        const { chain, expr } = fields(body);
        const owner = chains.get(String(chain));
        if (owner === undefined) throw new UnknownNftError('chain', chain);
        owner.rules.push(parseRuleOrNot(list(expr)));
        break;
      }
      default:
        throw new UnknownNftError('object', object);
    }
  }
  return { sets, chains: [...chains.values()], elements };
}

function parseElement(set: string, kind: 'set' | 'map', item: unknown): NftElement {
  if (kind === 'set') return { set, key: dataText(item), value: '' };
  if (!Array.isArray(item) || item.length !== 2) throw new UnknownNftError('map element', item);
  return { set, key: dataText(item[0]), value: valueText(item[1]) };
}

/** Text of a key or datum: numbers and names as they are, a prefix as `ADDRESS/LENGTH`, parts joined with ` . `. */
function dataText(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  const [kind, body] = onlyEntry(value, 'value');
  if (kind === 'concat') return list(body).map(dataText).join(' . ');
  if (kind === 'prefix') return `${fields(body)['addr']}/${fields(body)['len']}`;
  if (kind === 'elem') return dataText(fields(body)['val']);
  throw new UnknownNftError('value', value);
}

function valueText(value: unknown): string {
  if (typeof value === 'object' && value !== null && !('concat' in value)) {
    const [kind, body] = onlyEntry(value, 'verdict');
    if (kind === 'goto' || kind === 'jump') return `${kind} ${fields(body)['target']}`;
    if (kind === 'drop' || kind === 'accept' || kind === 'return') return kind;
  }
  return dataText(value);
}

function parseHook(body: unknown): NftHook | undefined {
  const { type, hook, prio, policy } = fields(body);
  if (hook === undefined) return undefined;
  if (type !== 'nat' && type !== 'filter') throw new UnknownNftError('chain type', type);
  const at = (['prerouting', 'input', 'forward', 'output', 'postrouting'] as const).find(
    (one) => one === hook,
  );
  if (at === undefined) throw new UnknownNftError('hook', hook);
  return { type, at, priority: Number(prio), ...(policy === 'drop' && { policy }) };
}

function parseRuleOrNot(expressions: readonly unknown[]): NftRule {
  try {
    return parseRule(expressions);
  } catch (error) {
    if (error instanceof UnknownNftError) return [{ do: 'unknown', what: error.message }];
    throw error;
  }
}

function parseRule(expressions: readonly unknown[]): NftRule {
  // A listing leaves out `meta l4proto X` where another expression implies it; here it is put back.
  const implied = new Set<string>();
  const rule = expressions.map((expression) => parseStatement(expression, implied));
  const said = rule.some((statement) => statement.do === 'match' && statement.field === 'l4proto');
  if (implied.size === 0 || said) return rule;
  return [{ do: 'match', field: 'l4proto', values: [...implied] }, ...rule];
}

function parseStatement(expression: unknown, implied: Set<string>): NftStatement {
  if (typeof expression === 'string') return parseMapUpdate(expression, implied);
  const [kind, body] = onlyEntry(expression, 'statement');
  switch (kind) {
    case 'match':
      return parseMatch(body, implied);
    case 'vmap': {
      const { key, data } = fields(body);
      return { do: 'verdict map', key: parseKey(key, implied), map: setName(data) };
    }
    case 'dnat': {
      const { addr, family: _, ...options } = fields(body);
      if (Object.keys(options).length > 0) throw new UnknownNftError('statement', expression);
      const address = fields(addr);
      if (address['map'] === undefined && parseKey(address, implied).join() === 'daddr')
        return { do: 'keep destination' };
      const { key, data } = fields(address['map']);
      return { do: 'dnat', key: parseKey(key, implied), map: setName(data) };
    }
    case 'mangle': {
      const { key, value } = fields(body);
      if (fields(fields(key)['meta'])['key'] !== 'mark') throw new UnknownNftError('statement', expression);
      const map = fields(fields(value)['map']);
      return { do: 'set mark', key: parseKey(map['key'], implied), map: setName(map['data']) };
    }
    case 'masquerade':
    case 'drop':
    case 'return':
      if (body !== null) throw new UnknownNftError('statement', expression);
      return { do: kind };
    case 'goto':
    case 'jump':
      return { do: kind, chain: String(fields(body)['target']) };
    case 'reject':
      return parseReject(body, implied);
    default:
      throw new UnknownNftError('statement', expression);
  }
}

function parseMatch(body: unknown, implied: Set<string>): NftStatement {
  const { op, left, right } = fields(body);
  if (typeof right === 'string' && right.startsWith('@')) {
    if (op !== '==' && op !== '!=') throw new UnknownNftError('match', body);
    return { do: 'lookup', key: parseKey(left, implied), set: right.slice(1), negate: op === '!=' };
  }
  if (op !== '==' && op !== 'in') throw new UnknownNftError('match', body);
  const values =
    typeof right === 'object' && right !== null ? list(fields(right)['set']).map(String) : [String(right)];
  return { do: 'match', field: parseField(left, implied), values };
}

function parseReject(body: unknown, implied: Set<string>): NftStatement {
  const { type, expr } = fields(body);
  if (type === 'tcp reset') {
    implied.add('tcp');
    return { do: 'reject', with: 'tcp reset' };
  }
  const names: Readonly<Record<string, RejectWith>> = {
    'port-unreachable': 'port-unreachable',
    'host-unreachable': 'host-unreachable',
    'addr-unreachable': 'host-unreachable',
  };
  const known = names[String(expr)];
  if (known === undefined) throw new UnknownNftError('reject', body);
  return { do: 'reject', with: known };
}

/** nft 1.0.6 has no JSON for what a rule does to a map, and gives its text. */
function parseMapUpdate(text: string, implied: Set<string>): NftStatement {
  const found = /^(update|delete) @(\w+) \{ (.+?)(?: timeout (\w+))? : (.+) \}$/.exec(text);
  if (found === null) throw new UnknownNftError('statement', text);
  const [, operation, map = '', key = '', timeout, data = ''] = found;
  const field = (part: string): NftField => {
    const known: Readonly<Record<string, NftField>> = {
      'ip saddr': 'saddr',
      'ip6 saddr': 'saddr',
      'ip daddr': 'daddr',
      'ip6 daddr': 'daddr',
      'meta l4proto': 'l4proto',
      'th dport': 'dport',
      'ct original ip daddr': 'ct original daddr',
      'ct original ip6 daddr': 'ct original daddr',
      'ct original proto-dst': 'ct original dport',
    };
    const transport = /^(tcp|udp|sctp) dport$/.exec(part)?.[1];
    if (transport !== undefined) implied.add(transport);
    const result = transport === undefined ? known[part] : 'dport';
    if (result === undefined) throw new UnknownNftError('field', part);
    return result;
  };
  const parts = { key: key.split(' . ').map(field), map, data: data.split(' . ').map(field) };
  if (operation === 'delete') return { do: 'forget', ...parts };
  if (timeout === undefined) throw new UnknownNftError('statement', text);
  return { do: 'learn', ...parts, timeout: seconds(timeout) };
}

/** `3h`, `1d2h3m4s` */
function seconds(text: string): number {
  const found = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (found === null) throw new UnknownNftError('time', text);
  const [days, hours, minutes, rest] = found.slice(1).map((part) => Number(part ?? 0));
  return (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (rest ?? 0);
}

function parseKey(key: unknown, implied: Set<string>): readonly NftField[] {
  const several = typeof key === 'object' && key !== null && 'concat' in key;
  return (several ? list(key.concat) : [key]).map((part) => parseField(part, implied));
}

function parseField(value: unknown, implied: Set<string>): NftField {
  const [kind, body] = onlyEntry(value, 'field');
  const part = fields(body);
  switch (kind) {
    case 'payload': {
      const field = String(part['field']);
      if (part['protocol'] === 'ip' || part['protocol'] === 'ip6') {
        if (field === 'saddr' || field === 'daddr') return field;
      } else if (field === 'dport') {
        if (part['protocol'] !== 'th') implied.add(String(part['protocol']));
        return 'dport';
      }
      break;
    }
    case 'meta':
      if (part['key'] === 'l4proto') return 'l4proto';
      break;
    case 'ct': {
      const key = String(part['key']);
      if (part['dir'] === undefined && (key === 'state' || key === 'status')) return `ct ${key}`;
      if (part['dir'] === 'original' && (key === 'ip daddr' || key === 'ip6 daddr'))
        return 'ct original daddr';
      if (part['dir'] === 'original' && key === 'proto-dst') return 'ct original dport';
      break;
    }
    case 'fib': {
      const of = list(part['flags']).join();
      if (part['result'] === 'type' && (of === 'saddr' || of === 'daddr')) return `fib ${of} type`;
      break;
    }
    case 'numgen':
      if (part['mode'] === 'random' && part['offset'] === 0) return { random: Number(part['mod']) };
      break;
  }
  throw new UnknownNftError('field', value);
}

function setName(value: unknown): string {
  if (typeof value !== 'string' || !value.startsWith('@')) throw new UnknownNftError('set', value);
  return value.slice(1);
}

function onlyEntry(value: unknown, what: string): readonly [string, unknown] {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const [entry] = entries;
  if (entry === undefined || entries.length !== 1) throw new UnknownNftError(what, value);
  return entry;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new UnknownNftError('object', value);
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
