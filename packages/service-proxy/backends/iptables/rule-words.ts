import { InvalidAddressError } from '#ip';
import { PodwayError } from '#runtime';

/** A rule that says something that the Service rules never say. */
export class UnknownIptablesError extends PodwayError {
  readonly code = 'UnknownIptables';
  constructor(rule: string, at: string) {
    super(`iptables rule ${JSON.stringify(rule)}: ${JSON.stringify(at)} is not understood`);
  }
}

/** The words of one rule, read one after the other; each way of reading refuses what it does not know. */
export class RuleWords {
  readonly #text: string;
  readonly #words: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#words = split(text);
  }

  /** The word that comes next, not read yet. */
  get ahead(): string | undefined {
    return this.#words[this.#at];
  }

  next(): string {
    return this.#words[this.#at++] ?? this.unknown();
  }

  expect(...words: readonly string[]): void {
    for (const word of words) if (this.next() !== word) this.unknown();
  }

  number(): number {
    const value = Number(this.next());
    return Number.isFinite(value) ? value : this.unknown();
  }

  oneOf<T extends string>(...known: readonly T[]): T {
    const word = this.next();
    return known.find((each) => each === word) ?? this.unknown();
  }

  /** @param parse throws InvalidAddressError for what is none */
  address<T>(parse: (word: string) => T, word = this.next()): T {
    try {
      return parse(word);
    } catch (error) {
      if (error instanceof InvalidAddressError) return this.unknown();
      throw error;
    }
  }

  /** @returns `value`, when there is nothing more */
  end<T>(value: T): T {
    return this.ahead === undefined ? value : this.unknown();
  }

  /** @throws UnknownIptablesError for the word that was read last */
  unknown(): never {
    throw new UnknownIptablesError(this.#text, this.#words[this.#at - 1] ?? '');
  }
}

/** Words; a quoted one is one word, with `\` before quotes and backslashes in it. */
function split(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, plain]) => plain ?? (quoted ?? '').replaceAll(/\\(.)/g, '$1'),
  );
}
