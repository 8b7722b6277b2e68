import type { Clock, Random } from '#runtime';
import type { Inquiry } from '../records/resolution.ts';
import { Histogram, SECONDS_BOUNDS } from '../server/metrics.ts';
import {
  CLASS_IN,
  canonicalName,
  encodeMessage,
  type Message,
  type Question,
  queryMessage,
  RCODES,
  RECORD_TYPES,
  rcodeName,
} from '../wire/index.ts';
import { formatUpstream, type UpstreamAddress } from './address.ts';
import { UpstreamError } from './errors.ts';
import { withAskedCase } from './sent-case.ts';
import { StreamExchange } from './stream-exchange.ts';
import { udpExchange } from './udp-exchange.ts';

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly random: Random;
}

export interface UpstreamOptions {
  /** How long one try waits. Milliseconds. */
  readonly timeoutMs: number;
  /** Trusted for `tls` instead of the system's authorities: PEM. */
  readonly ca?: string;
}

/** So many failures in a row, and an upstream is asked only when there is no other, until a probe finds it well. */
const FAILURES_TO_DOWN = 2;
const FIRST_PROBE_MS = 500;
const LONGEST_PROBE_MS = 10_000;
/** Every resolver knows the root; whatever it replies, it is there. */
const PROBE: Question = { name: '.', typeCode: RECORD_TYPES.NS, class: CLASS_IN };
const IDLE_MS = 10_000;
const UDP_PAYLOAD = 1232;

/** One resolver to ask, with what is known of its health. */
export class Upstream implements Disposable {
  readonly name: string;
  readonly #address: UpstreamAddress;
  readonly #deps: UpstreamDeps;
  readonly #options: UpstreamOptions;
  readonly #stream: StreamExchange;
  readonly #abort = new AbortController();
  #failures = 0;
  #probe: Disposable | undefined;
  #probes = 0;
  #ednsBroken = false;
  /** Seconds to each reply, by its RCODE's name. */
  readonly durations = new Map<string, Histogram>();
  /** Questions without a reply, and probes without one. */
  failed = 0;
  failedProbes = 0;
  /** Replies that were passed over because they did not answer the query sent: forged, or very late. */
  rejectedReplies = 0;
  /** It sends our questions back to us. */
  isLoop = false;

  constructor(address: UpstreamAddress, deps: UpstreamDeps, options: UpstreamOptions) {
    this.name = formatUpstream(address);
    this.#address = address;
    this.#deps = deps;
    this.#options = options;
    this.#stream = new StreamExchange(address, {
      clock: deps.clock,
      timeoutMs: options.timeoutMs,
      idleMs: IDLE_MS,
      ...(options.ca !== undefined && { ca: options.ca }),
    });
  }

  /** It failed, and has given no reply since. */
  get isDown(): boolean {
    return this.#failures >= FAILURES_TO_DOWN;
  }

  [Symbol.dispose](): void {
    this.#probe?.[Symbol.dispose]();
    this.#abort.abort();
    this.#stream[Symbol.dispose]();
  }

  /** The upstream's reply, whatever its RCODE. @throws UpstreamError */
  async ask(question: Inquiry): Promise<Message> {
    const { clock } = this.#deps;
    const start = clock.monotonic();
    try {
      let reply = await this.#exchange(question, !this.#ednsBroken);
      if (!this.#ednsBroken && reply.rcode === RCODES.FORMERR && reply.edns === undefined) {
        // RFC 6891 section 7: a server that knows no EDNS.
        this.#ednsBroken = true;
        reply = await this.#exchange(question, false);
      }
      this.#recover();
      this.#durationOf(rcodeName(reply.rcode)).observe((clock.monotonic() - start) / 1000);
      return reply;
    } catch (error) {
      this.failed++;
      this.#failures++;
      if (this.isDown) this.#probeLater();
      throw error;
    }
  }

  #durationOf(rcode: string): Histogram {
    const known = this.durations.get(rcode);
    if (known !== undefined) return known;
    const made = new Histogram(SECONDS_BOUNDS);
    this.durations.set(rcode, made);
    return made;
  }

  #recover(): void {
    this.#failures = 0;
    this.#probes = 0;
    this.#probe?.[Symbol.dispose]();
    this.#probe = undefined;
  }

  /** Asks of itself, at growing intervals, so that no client's question has to find out. */
  #probeLater(): void {
    if (this.#probe !== undefined || this.#abort.signal.aborted) return;
    const delay = Math.min(LONGEST_PROBE_MS, FIRST_PROBE_MS * 2 ** Math.min(10, this.#probes++));
    const probe = (): void => {
      this.#probe = undefined;
      this.#exchange(PROBE, !this.#ednsBroken).then(
        () => this.#recover(),
        () => {
          this.failedProbes++;
          this.#probeLater();
        },
      );
    };
    this.#probe = this.#deps.clock.setTimer(delay, probe, { unref: true });
  }

  async #exchange(question: Inquiry, edns: boolean): Promise<Message> {
    const { random } = this.#deps;
    const asked = { ...question, name: randomCase(question.name, random) };
    const id = randomId(random);
    const { dnssecOk = false, checkingDisabled = false } = question;
    const opt = { udpPayloadSize: UDP_PAYLOAD, version: 0, dnssecOk, options: [] };
    const query = encodeMessage({
      ...queryMessage(id, asked, edns ? { edns: opt } : {}),
      checkingDisabled,
      // The upstream may say whether it has validated the answer (RFC 6840 section 5.7).
      authenticData: true,
    });
    const reply =
      this.#address.transport === 'tls'
        ? await this.#overStream(asked, id, query)
        : await this.#overUdp(asked, id, query);
    return withAskedCase(reply, asked.name, question.name);
  }

  async #overUdp(asked: Question, id: number, query: Uint8Array): Promise<Message> {
    let exactCase = true;
    const reply = await udpExchange(
      this.#address,
      query,
      (candidate) => {
        const fits = answers(candidate, id, asked, (a, b) => canonicalName(a) === canonicalName(b));
        if (fits) exactCase = candidate.questions[0]?.name === asked.name;
        else this.rejectedReplies++;
        return fits;
      },
      {
        clock: this.#deps.clock,
        timeoutMs: this.#options.timeoutMs,
        signal: this.#abort.signal,
      },
    );
    if (!exactCase) this.rejectedReplies++;
    // Forged, or from a server that does not keep the case (0x20): a connection cannot be forged into.
    if (reply.truncated || !exactCase) return this.#overStream(asked, id, query);
    return reply;
  }

  async #overStream(asked: Question, id: number, query: Uint8Array): Promise<Message> {
    let reply: Message;
    try {
      reply = await this.#stream.exchange(id, query);
    } catch (error) {
      // The upstream may have closed an idle connection just as we used it.
      if (!(error instanceof UpstreamError) || error.fault !== 'closed') throw error;
      reply = await this.#stream.exchange(id, query);
    }
    if (!answers(reply, id, asked, (a, b) => canonicalName(a) === canonicalName(b)))
      throw new UpstreamError(this.name, 'malformed', 'the reply is to another question');
    return reply;
  }
}

function answers(
  reply: Message,
  id: number,
  asked: Question,
  sameName: (a: string, b: string) => boolean,
): boolean {
  const [question] = reply.questions;
  return (
    reply.response &&
    reply.id === id &&
    reply.opcode === 0 &&
    reply.questions.length === 1 &&
    question !== undefined &&
    question.typeCode === asked.typeCode &&
    question.class === asked.class &&
    sameName(question.name, asked.name)
  );
}

function randomId(random: Random): number {
  const [high = 0, low = 0] = random.bytes(2);
  return (high << 8) | low;
}

/** 0x20: a forger must guess the case of every letter, too (draft-vixie-dnsext-dns0x20). Escapes stay as they are. */
function randomCase(name: string, random: Random): string {
  if (name.includes('\\')) return name;
  const bits = random.bytes(name.length);
  return name.replace(/[a-z]/g, (letter, at: number) =>
    ((bits[at] ?? 0) & 1) === 1 ? letter.toUpperCase() : letter,
  );
}
