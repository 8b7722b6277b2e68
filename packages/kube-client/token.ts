import { readFile } from 'node:fs/promises';
import type { Clock } from '#runtime';
import type { Credentials } from './config.ts';

const REREAD_MS = 60_000;

/** Gives the Authorization header for each request; undefined where a certificate (or nothing) says who we are. */
export class Authorization {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  #fromFile: { readonly header: string; readonly at: number } | undefined;

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
  }

  header(): string | undefined | Promise<string | undefined> {
    const { token, tokenFile, username, password } = this.#credentials;
    if (tokenFile !== undefined) return this.#readFile(tokenFile);
    if (token !== undefined) return `Bearer ${token}`;
    if (username !== undefined)
      return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
    return undefined;
  }

  /** The server refused us: what was read may be old. */
  forget(): void {
    this.#fromFile = undefined;
  }

  async #readFile(path: string): Promise<string> {
    const now = this.#clock.monotonic();
    if (this.#fromFile === undefined || now - this.#fromFile.at > REREAD_MS) {
      const token = (await readFile(path, 'utf8')).trim();
      this.#fromFile = { header: `Bearer ${token}`, at: now };
    }
    return this.#fromFile.header;
  }
}
