import { type MacAddress, macFromBytes } from '#ip';
import { KernelError } from '../errors.ts';
import { check, lastErrno, libc } from './libc.ts';

const SIOCGIFNAME = 0x8910;
const SIOCGIFHWADDR = 0x8927;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SO_BINDTOIFINDEX = 62;
const FIND = 'find link';
/** `struct ifreq`: 16 bytes of name, then a union. */
const IFREQ = 40;
const IFNAMSIZ = 16;

/** Translates between link names and indexes in the namespace of a socket; cheaper than a netlink request (1 to 2 us). */
export class LinkNames {
  readonly #fd: () => number;
  readonly #request = Buffer.alloc(IFREQ);
  readonly #index = Buffer.alloc(4);
  readonly #length = Buffer.alloc(4);
  /** Of one batch of changes. */
  #known: Map<string, number> | undefined;

  constructor(fd: () => number) {
    this.#fd = fd;
  }

  /** undefined when there is no link of that name. */
  find(name: string): number | undefined {
    const known = this.#known?.get(name);
    if (known !== undefined) return known;
    const index = this.#indexOf(name);
    if (index !== undefined) this.#known?.set(name, index);
    return index;
  }

  /** undefined when there is no link of that name. */
  mac(name: string): MacAddress | undefined {
    if (this.#indexOf(name) === undefined) return undefined;
    const answer = this.#ask(name, SIOCGIFHWADDR);
    // `struct sockaddr`: two bytes of kind come first.
    return answer && macFromBytes(answer.subarray(IFNAMSIZ + 2, IFNAMSIZ + 8));
  }

  /** While `section` runs an index is asked for once; {@link forget} when it may not hold any more. */
  remember<T>(section: () => T): T {
    if (this.#known !== undefined) return section();
    this.#known = new Map();
    try {
      return section();
    } finally {
      this.#known = undefined;
    }
  }

  forget(name: string): void {
    this.#known?.delete(name);
  }

  /** @throws KernelError `ENODEV` */
  index(name: string, operation: string, object: string): number {
    const index = this.find(name);
    if (index !== undefined) return index;
    throw new KernelError({ errno: 'ENODEV', operation, object, detail: `there is no link ${name}` });
  }

  /** undefined for an index without a link: it may have gone since the kernel named it. */
  name(index: number): string | undefined {
    this.#request.fill(0);
    this.#request.writeInt32LE(index, IFNAMSIZ);
    if (libc().ioctl(this.#fd(), SIOCGIFNAME, this.#request) !== 0) return undefined;
    const end = this.#request.indexOf(0);
    return this.#request.toString('utf8', 0, Math.min(end, IFNAMSIZ));
  }

  /** A {@link name} that remembers, for one listing. */
  lookup(): (index: number) => string | undefined {
    const known = new Map<number, string | undefined>();
    return (index) => {
      if (!known.has(index)) known.set(index, this.name(index));
      return known.get(index);
    };
  }

  /**
   * Asked by ioctl for a name that no link has, the kernel runs modprobe, twice, and the caller waits for both (net/core/dev_ioctl.c,
   * dev_load). To be bound to a link means nothing for a netlink socket, and finds it without.
   */
  #indexOf(name: string): number | undefined {
    const bytes = Buffer.from(name);
    if (bytes.length === 0 || bytes.length >= IFNAMSIZ) return undefined;
    const fd = this.#fd();
    if (libc().setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bytes, bytes.length) !== 0) return noLink(name);
    this.#length.writeUInt32LE(this.#index.length);
    check(libc().getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, this.#index, this.#length), FIND, name);
    return this.#index.readInt32LE();
  }

  /** The `ifreq` as the kernel filled it; undefined when there is no link of that name. */
  #ask(name: string, question: number): Buffer | undefined {
    this.#request.fill(0);
    this.#request.write(name);
    return libc().ioctl(this.#fd(), question, this.#request) === 0 ? this.#request : noLink(name);
  }
}

/** What errno says after a question for a link. @throws KernelError when it says anything but that there is none */
function noLink(name: string): undefined {
  const errno = lastErrno();
  if (errno !== 'ENODEV') throw new KernelError({ errno, operation: FIND, object: name });
}
