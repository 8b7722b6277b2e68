import { addressBits, type IpFamily } from '#ip';
import type { NftExpression, NftRawField, NftRawRule } from '#kernel';
import type { NftChain, NftField, NftRule, NftStatement } from './model.ts';
import { PROTOCOL_NUMBERS } from './place.ts';

/**
 * Whether a chain's rules are sent as expressions: nft 1.0.6 aborts the whole process on a rule that learns from more than one IPv6
 * address, as it reserves registers for one only (netlink_linearize.c, set elements in maps).
 */
export function isRaw(chain: NftChain): boolean {
  return chain.rules.some((rule) => rule.some((statement) => statement.do === 'learn'));
}

export function rawRule(rule: NftRule, family: IpFamily): NftRawRule {
  return rule.flatMap((statement) => expressions(statement, family));
}

function expressions(statement: NftStatement, family: IpFamily): readonly NftExpression[] {
  switch (statement.do) {
    case 'match': {
      const number = PROTOCOL_NUMBERS[statement.values[0] ?? ''];
      if (statement.field !== 'l4proto' || statement.values.length !== 1 || number === undefined) break;
      return [
        { do: 'load', field: 'l4proto', to: 0 },
        { do: 'compare', register: 0, equals: Uint8Array.of(number) },
      ];
    }
    case 'lookup':
      if (statement.negate) break;
      return [...loads(statement.key, 0, family).loads, { do: 'lookup', set: statement.set, key: 0 }];
    case 'learn':
    case 'forget': {
      const key = loads(statement.key, 0, family);
      const data = loads(statement.data, key.next, family);
      const update: NftExpression = {
        do: statement.do === 'learn' ? 'update' : 'delete',
        set: statement.map,
        key: 0,
        data: key.next,
        timeout: statement.do === 'learn' ? statement.timeout * 1000 : 0,
      };
      return [...key.loads, ...data.loads, update];
    }
    case 'drop':
    case 'return':
      return [{ do: 'verdict', verdict: statement.do }];
  }
  throw new Error(`no raw form of ${JSON.stringify(statement)}`);
}

/** Loads fields into registers one after the other, each rounded up to 4 bytes. */
function loads(
  fields: readonly NftField[],
  from: number,
  family: IpFamily,
): { readonly loads: readonly NftExpression[]; readonly next: number } {
  let next = from;
  const result: NftExpression[] = [];
  for (const field of fields) {
    result.push({ do: 'load', field: rawField(field, family), to: next });
    next += isAddress(field) ? addressBits(family) / 32 : 1;
  }
  return { loads: result, next };
}

function isAddress(field: NftField): boolean {
  return field === 'saddr' || field === 'daddr' || field === 'ct original daddr';
}

/** Offsets are of RFC 791, RFC 8200 and, for all three transports, 2 bytes behind the source port. */
function rawField(field: NftField, family: IpFamily): NftRawField {
  const address = { header: 'network', length: addressBits(family) / 8 } as const;
  switch (field) {
    case 'saddr':
      return { ...address, offset: family === 'IPv4' ? 12 : 8 };
    case 'daddr':
      return { ...address, offset: family === 'IPv4' ? 16 : 24 };
    case 'l4proto':
      return 'l4proto';
    case 'dport':
      return { header: 'transport', offset: 2, length: 2 };
    case 'ct original daddr':
      return 'original daddr';
    case 'ct original dport':
      return 'original dport';
    default:
      throw new Error(`no raw form of the field ${JSON.stringify(field)}`);
  }
}
