import type { NftExpression, NftFamily, NftRawField, NftRawRule } from '../ports/nft.ts';
import { NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST } from './header-flags.ts';
import {
  batchEdge,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFT_FAMILIES,
} from './nft-elements.ts';
import { Attributes, afterHeader } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

/** include/uapi/linux/netfilter/nf_tables.h */
const NFT_MSG_NEWRULE = (NFNL_SUBSYS_NFTABLES << 8) | 6;
export const NFT_MSG_GETGEN = (NFNL_SUBSYS_NFTABLES << 8) | 16;
const NFTA_GEN_ID = 1;
export const NFT_MSG_GETTABLE = (NFNL_SUBSYS_NFTABLES << 8) | 1;
const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFT_REG_VERDICT = 0;
const NFT_REG32_00 = 8;

/** One transaction that appends rules to a chain. @returns the sequence number that is acknowledged */
export function encodeRules(
  writer: NetlinkWriter,
  { family, table, chain }: { readonly family: NftFamily; readonly table: string; readonly chain: string },
  rules: readonly NftRawRule[],
  nextSequence: () => number,
): number {
  batchEdge(writer, NFNL_MSG_BATCH_BEGIN, nextSequence());
  let last = 0;
  rules.forEach((rule, i) => {
    const flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND | (i === rules.length - 1 ? NLM_F_ACK : 0);
    last = nextSequence();
    writer.message(NFT_MSG_NEWRULE, flags, last, () => {
      writer.u8(NFT_FAMILIES[family]).u8(0).u16be(0);
      writer.attrString(NFTA_RULE_TABLE, table).attrString(NFTA_RULE_CHAIN, chain);
      writer.nest(NFTA_RULE_EXPRESSIONS, () => {
        for (const expression of rule)
          writer.nest(NFTA_LIST_ELEM, () => encodeExpression(writer, expression, family));
      });
    });
  });
  batchEdge(writer, NFNL_MSG_BATCH_END, nextSequence());
  return last;
}

function encodeExpression(writer: NetlinkWriter, expression: NftExpression, family: NftFamily): void {
  const named = (name: string, body: () => void) => {
    writer.attrString(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, body);
  };
  switch (expression.do) {
    case 'load':
      encodeLoad(named, writer, expression.field, NFT_REG32_00 + expression.to, family);
      return;
    case 'compare':
      // NFTA_CMP_SREG, NFTA_CMP_OP (NFT_CMP_EQ), NFTA_CMP_DATA
      named('cmp', () => {
        writer.attrU32be(1, NFT_REG32_00 + expression.register).attrU32be(2, 0);
        writer.nest(3, () => writer.attr(NFTA_DATA_VALUE, expression.equals));
      });
      return;
    case 'lookup':
      // NFTA_LOOKUP_SET, NFTA_LOOKUP_SREG
      named('lookup', () => {
        writer.attrString(1, expression.set).attrU32be(2, NFT_REG32_00 + expression.key);
      });
      return;
    case 'update':
    case 'delete':
      // NFTA_DYNSET_SET_NAME, _OP (NFT_DYNSET_OP_UPDATE, _DELETE), _SREG_KEY, _SREG_DATA, _TIMEOUT
      named('dynset', () => {
        writer.attrString(1, expression.set).attrU32be(3, expression.do === 'update' ? 1 : 2);
        writer.attrU32be(4, NFT_REG32_00 + expression.key).attrU32be(5, NFT_REG32_00 + expression.data);
        if (expression.timeout > 0) writer.attrU64be(6, BigInt(expression.timeout));
      });
      return;
    case 'verdict':
      // NFTA_IMMEDIATE_DREG, NFTA_IMMEDIATE_DATA
      named('immediate', () => {
        writer.attrU32be(1, NFT_REG_VERDICT);
        writer.nest(2, () => {
          writer.nest(NFTA_DATA_VERDICT, () => {
            writer.attrU32be(NFTA_VERDICT_CODE, expression.verdict === 'drop' ? 0 : -5);
          });
        });
      });
  }
}

function encodeLoad(
  named: (name: string, body: () => void) => void,
  writer: NetlinkWriter,
  field: NftRawField,
  register: number,
  family: NftFamily,
): void {
  if (typeof field === 'object') {
    // NFTA_PAYLOAD_DREG, _BASE (NFT_PAYLOAD_NETWORK_HEADER, _TRANSPORT_HEADER), _OFFSET, _LEN
    named('payload', () => {
      writer.attrU32be(1, register).attrU32be(2, field.header === 'network' ? 1 : 2);
      writer.attrU32be(3, field.offset).attrU32be(4, field.length);
    });
  } else if (field === 'l4proto') {
    // NFTA_META_DREG, NFTA_META_KEY (NFT_META_L4PROTO)
    named('meta', () => void writer.attrU32be(1, register).attrU32be(2, 16));
  } else {
    // NFTA_CT_DREG, NFTA_CT_KEY (NFT_CT_PROTO_DST, _DST_IP6, _DST_IP), NFTA_CT_DIRECTION (original)
    const key = field === 'original dport' ? 12 : family === 'ip6' ? 22 : 20;
    named('ct', () => void writer.attrU32be(1, register).attrU32be(2, key).attrU8(3, 0));
  }
}

/** @throws NetlinkFormatError */
export function decodeGeneration(payload: Buffer): number | undefined {
  return new Attributes(afterHeader(payload, 4, 'nft generation')).u32be(NFTA_GEN_ID);
}

/** @throws NetlinkFormatError */
export function decodeTable(
  payload: Buffer,
): { readonly family: NftFamily; readonly name: string; readonly flags: number } | undefined {
  const attributes = new Attributes(afterHeader(payload, 4, 'nft table'));
  const name = attributes.string(NFTA_TABLE_NAME);
  const [family] = Object.entries(NFT_FAMILIES).find(([, number]) => number === payload[0]) ?? [];
  if (name === undefined || family === undefined) return undefined;
  return { family: family as NftFamily, name, flags: attributes.u32be(NFTA_TABLE_FLAGS) ?? 0 };
}
