import { ApiUnreachableError } from './errors.ts';

const NEWLINE = 0x0a;
const EMPTY = Buffer.alloc(0);

/**
 * Cuts a byte stream into newline-terminated lines without copying: a line that arrives in one chunk is decoded straight
 * from it, and only the unfinished tail of a chunk is kept.
 */
export class LineDecoder {
  readonly #maxBytes: number;
  #tail: Buffer[] = [];
  #tailBytes = 0;

  /** `maxBytes`: a longer line is an error, so that no server can fill our memory. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that `chunk` completes, without their ends; blank ones left out. Throws ApiUnreachableError when one is too long. */
  *push(chunk: Buffer): Generator<string, void> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#complete(chunk, start, end);
      start = end + 1;
      if (line !== '') yield line;
    }
    if (start < chunk.length) this.#keep(start === 0 ? chunk : chunk.subarray(start));
  }

  /** True while a line has begun and not ended. */
  get pending(): boolean {
    return this.#tailBytes > 0;
  }

  #complete(chunk: Buffer, start: number, end: number): string {
    this.#check(end - start);
    if (this.#tailBytes === 0) return chunk.toString('utf8', start, end);
    const line = Buffer.concat([...this.#tail, end > start ? chunk.subarray(start, end) : EMPTY]).toString(
      'utf8',
    );
    this.#tail = [];
    this.#tailBytes = 0;
    return line;
  }

  #keep(rest: Buffer): void {
    this.#check(rest.length);
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
  }

  #check(more: number): void {
    if (this.#tailBytes + more > this.#maxBytes)
      throw new ApiUnreachableError(`the API server sent a line of more than ${this.#maxBytes} bytes`);
  }
}
