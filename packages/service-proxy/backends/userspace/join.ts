import { endSending, FAILED, NOT_NOW, type Poller, type Readiness, receive, transmit } from '#kernel';
import type { DescriptorSet } from './descriptor-set.ts';

/** Read at once: what a slow reader leaves of it is all that is held in memory for one direction. */
const CHUNK = Buffer.alloc(64 * 1024);
/** Chunks that one direction carries before others have their turn. */
const CHUNKS_A_TURN = 16;

/** One socket of the two. */
interface Side {
  readonly fd: number;
  readonly watch: number;
  /** There may be something to read. */
  readable: boolean;
  /** It may take something. */
  writable: boolean;
  /** There may be an end behind what is read. */
  ending: boolean;
  /** All of it is read. */
  ended: boolean;
  /** It has been told that nothing more comes. */
  finished: boolean;
  /** What it has not taken yet. */
  rest: Buffer | undefined;
}

/**
 * Carries bytes both ways between two connected sockets until both have ended, as if the two were one connection: who stops reading slows
 * the other down, the end of one direction leaves the other open, and a reset goes through.
 */
export class Join {
  readonly #a: Side;
  readonly #b: Side;
  readonly #poller: Poller;
  readonly #descriptors: DescriptorSet;
  readonly #ended: () => void;
  #again: NodeJS.Immediate | undefined;
  #open = true;

  /**
   * @param a is not watched yet
   * @param b is watched for changes: `ready` was the last
   * @param ended called when both are closed
   */
  constructor(
    a: number,
    b: { readonly fd: number; readonly watch: number; readonly ready: Readiness },
    { poller, descriptors }: { readonly poller: Poller; readonly descriptors: DescriptorSet },
    ended: () => void,
  ) {
    this.#poller = poller;
    this.#descriptors = descriptors;
    this.#ended = ended;
    this.#a = sideOf(
      a,
      poller.watch(a, 'changes', (ready) => this.#changed(this.#a, ready)),
    );
    this.#b = sideOf(b.fd, b.watch);
    note(this.#b, b.ready);
    poller.redirect(b.watch, (ready) => this.#changed(this.#b, ready));
  }

  /** Both sides are told that the connection has failed. */
  reset(): void {
    this.#close((fd) => this.#descriptors.reset(fd));
  }

  #changed(side: Side, ready: Readiness): void {
    note(side, ready);
    if (ready.failed) this.reset();
    else this.#carry();
  }

  #carry(): void {
    const more = this.#move(this.#a, this.#b);
    const back = this.#open && this.#move(this.#b, this.#a);
    if (!this.#open) return;
    if (this.#a.finished && this.#b.finished) this.#close((fd) => this.#descriptors.close(fd));
    else if (more || back) this.#again ??= setImmediate(() => this.#continue());
  }

  #continue(): void {
    this.#again = undefined;
    if (this.#open) this.#carry();
  }

  /** @returns whether it stopped for the sake of others only */
  #move(from: Side, to: Side): boolean {
    for (let chunk = 0; chunk < CHUNKS_A_TURN; chunk++) {
      if (!to.writable || !this.#giveRest(to)) return false;
      if (from.ended) {
        if (!to.finished) endSending(to.fd);
        to.finished = true;
        return false;
      }
      if (!from.readable || !this.#moveChunk(from, to)) return false;
    }
    return true;
  }

  /** @returns whether nothing is left over from before */
  #giveRest(to: Side): boolean {
    if (to.rest === undefined) return true;
    const taken = this.#give(to, to.rest, to.rest.length);
    to.rest = taken < to.rest.length ? to.rest.subarray(taken) : undefined;
    return to.rest === undefined;
  }

  /** @returns whether there may be more */
  #moveChunk(from: Side, to: Side): boolean {
    const octets = receive(from.fd, CHUNK);
    if (octets === FAILED) {
      this.reset();
      return false;
    }
    // Fewer than asked for: that was all, unless an end is behind it, of which nobody will tell again.
    from.readable = octets === CHUNK.length || (octets !== NOT_NOW && from.ending);
    from.ended = octets === 0;
    if (octets <= 0) return octets === 0;
    const taken = this.#give(to, CHUNK, octets);
    if (taken < octets && this.#open) to.rest = Buffer.from(CHUNK.subarray(taken, octets));
    return taken === octets;
  }

  /** @returns how many octets it has taken */
  #give(to: Side, bytes: Buffer, octets: number): number {
    const taken = transmit(to.fd, bytes, octets);
    if (taken === FAILED) this.reset();
    if (taken < octets) to.writable = false;
    return Math.max(0, taken);
  }

  #close(close: (fd: number) => void): void {
    if (!this.#open) return;
    this.#open = false;
    for (const { fd, watch } of [this.#a, this.#b]) {
      this.#poller.forget(watch);
      close(fd);
    }
    clearImmediate(this.#again);
    this.#ended();
  }
}

function sideOf(fd: number, watch: number): Side {
  const state = { readable: false, writable: true, ending: false, ended: false, finished: false };
  return { fd, watch, ...state, rest: undefined };
}

function note(side: Side, ready: Readiness): void {
  side.readable ||= ready.readable;
  side.writable ||= ready.writable;
  side.ending ||= ready.ended;
}
