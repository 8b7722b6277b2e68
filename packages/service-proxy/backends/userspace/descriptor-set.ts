import { closeDescriptor, resetOnClose } from '#kernel';

/** As many as a process can have unless fs.nr_open is raised; what is beyond is not remembered. */
const MAX_DESCRIPTORS = 2 ** 20;

/**
 * The file descriptors that are the relay's to close, in memory that outlives its thread: a thread that dies closes none, and their other
 * ends would wait for ever.
 */
export class DescriptorSet {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** @param memory of another thread's set, to share it */
  constructor(memory = new SharedArrayBuffer(MAX_DESCRIPTORS / 8)) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  get size(): number {
    let count = 0;
    for (let word of this.#words) for (; word !== 0; count++) word &= word - 1; // takes the lowest bit away
    return count;
  }

  add(fd: number): void {
    if (fd < MAX_DESCRIPTORS) Atomics.or(this.#words, fd >>> 5, 1 << (fd & 31));
  }

  delete(fd: number): void {
    if (fd < MAX_DESCRIPTORS) Atomics.and(this.#words, fd >>> 5, ~(1 << (fd & 31)));
  }

  close(fd: number): void {
    this.delete(fd);
    closeDescriptor(fd);
  }

  /** A connection's other end is told that it has failed. */
  reset(fd: number): void {
    resetOnClose(fd);
    this.close(fd);
  }

  /** Only when no relay runs. */
  resetAll(except: ReadonlySet<number> = new Set()): void {
    this.#words.forEach((word, i) => {
      for (let bit = 0; word !== 0 && bit < 32; bit++) {
        const fd = i * 32 + bit;
        if ((word & (1 << bit)) !== 0 && !except.has(fd)) this.reset(fd);
      }
    });
  }
}
