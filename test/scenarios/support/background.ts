import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A command that goes on until it is ended, or ends by itself. */
export class Background implements AsyncDisposable {
  /** Resolves when it has ended and everything it said is here. */
  readonly closed: Promise<unknown>;
  readonly #interrupt: () => void;
  #said = '';

  constructor(command: readonly string[], { env }: { readonly env: NodeJS.ProcessEnv }) {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      this.#said += part;
    });
    this.closed = once(child, 'close');
    this.#interrupt = () => child.kill('SIGINT');
  }

  /** Standard output so far. */
  get said(): string {
    return this.#said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#interrupt();
    await this.closed;
  }
}
