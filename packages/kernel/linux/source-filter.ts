import { type IpFamily, type IpPrefix, ipToBytes, prefixAddress, prefixLength } from '#ip';
import { KernelError } from '../errors.ts';
import { koffi, lastErrno, libc } from './libc.ts';

/** Passed by packets whose source is in one of the prefixes and, with `fromHost`, by those that this host sent to itself. */
export interface SourceTest {
  readonly prefixes: readonly IpPrefix[];
  readonly fromHost: boolean;
}

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;

/** Classic BPF (Documentation/networking/filter.rst, include/uapi/linux/filter.h). */
const LOAD_WORD = 0x20;
const AND = 0x54;
const JUMP = 0x05;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;
/** Offsets from the network header, and of what the kernel knows beside the bytes. */
const SKF_NET_OFF = -0x100000;
const SKF_AD_IFINDEX = -0x1000 + 8;
/** `lo` in every namespace. */
const LOOPBACK_INDEX = 1;
const WHOLE_PACKET = 0xffff_ffff;

interface Instruction {
  readonly code: number;
  readonly k: number;
  /** Instructions to skip when the comparison holds, and when it does not. */
  readonly jt?: number;
  readonly jf?: number;
}

/**
 * From now on the bound socket behind `fd` gets only packets that pass every test; others vanish as if they had been lost, a TCP
 * client's first one included: it hears nothing. No test: everything passes. Connections that are accepted keep the filter of that time.
 * @throws KernelError `EINVAL` for more than some thousand prefixes, `ENOMEM` beyond net.core.optmem_max
 */
export function filterSources(fd: number, family: IpFamily, tests: readonly SourceTest[]): void {
  const program = encode(sourceFilter(family, tests));
  // struct sock_fprog: the length, and a pointer to the instructions.
  const fprog = Buffer.alloc(16);
  fprog.writeUInt16LE(program.length / 8);
  fprog.writeBigUInt64LE(koffi().address(program), 8);
  const option = tests.length === 0 ? SO_DETACH_FILTER : SO_ATTACH_FILTER;
  if (libc().setsockopt(fd, SOL_SOCKET, option, fprog, fprog.length) === 0) return;
  const errno = lastErrno();
  if (tests.length === 0 && errno === 'ENOENT') return; // there was none
  throw new KernelError({ errno, operation: 'set', object: `a filter of sources on socket ${fd}` });
}

/** Tests one after the other: each jumps to the next when a prefix matches, and drops the packet when none does. */
function sourceFilter(family: IpFamily, tests: readonly SourceTest[]): readonly Instruction[] {
  const program: Instruction[] = [];
  for (const { prefixes, fromHost } of tests) {
    const blocks = prefixes.map((prefix) => prefixBlock(family, prefix));
    if (fromHost)
      blocks.unshift([
        { code: LOAD_WORD, k: SKF_AD_IFINDEX },
        { code: JUMP_EQUAL, k: LOOPBACK_INDEX, jt: 0, jf: 1 },
      ]);
    // After each block a jump behind the test's own "drop".
    let left = blocks.reduce((sum, block) => sum + block.length + 1, 0) + 1;
    for (const block of blocks) {
      left -= block.length + 1;
      program.push(...block, { code: JUMP, k: left });
    }
    program.push({ code: RETURN, k: 0 });
  }
  return [...program, { code: RETURN, k: WHOLE_PACKET }];
}

/** Goes on behind its end when the source is in the prefix, and skips one instruction more when it is not. */
function prefixBlock(family: IpFamily, prefix: IpPrefix): Instruction[] {
  const bytes = Buffer.from(ipToBytes(prefixAddress(prefix)));
  const source = SKF_NET_OFF + (family === 'IPv4' ? 12 : 8);
  const block: { code: number; k: number; jt?: number; jf?: number }[] = [];
  for (let at = 0, left = prefixLength(prefix); left > 0; at += 4, left -= 32) {
    block.push({ code: LOAD_WORD, k: source + at });
    if (left < 32) block.push({ code: AND, k: WHOLE_PACKET << (32 - left) });
    block.push({ code: JUMP_EQUAL, k: bytes.readUInt32BE(at), jt: 0 });
  }
  return block.map((instruction, i) =>
    instruction.code === JUMP_EQUAL ? { ...instruction, jf: block.length - i } : instruction,
  );
}

/** `struct sock_filter`s. */
function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, k, jt = 0, jf = 0 }, i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(jt, i * 8 + 2);
    bytes.writeUInt8(jf, i * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, i * 8 + 4);
  });
  return bytes;
}
