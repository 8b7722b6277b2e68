import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** The other end did not answer in time. It has been ended. */
export class NoAnswerError extends Error {}

/** Questions to a process that answers each line of JSON with one. */
export class Conversation {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdin?.on('error', () => {}); // it has ended: so do its answers
    if (child.stdout === null) throw new Error('a process to talk with has pipes');
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** @throws NoAnswerError after so long, or when the process ends */
  async ask<T>(question: unknown, limitMs: number): Promise<T> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), limitMs);
    try {
      this.#child.stdin?.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await this.#answers.next();
      if (done) throw new NoAnswerError(`${JSON.stringify(question)}: no answer`);
      return JSON.parse(value) as T;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Answers on standard output what comes by standard input, one after the other, until that ends. */
export async function answerQuestions<Q>(answer: (question: Q) => unknown): Promise<void> {
  for await (const line of createInterface({ input: process.stdin }))
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Q))}\n`);
}
