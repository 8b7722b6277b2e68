import type { Terminal } from '../terminal.ts';

/** Tells the demo: numbered steps, each with why it is shown, the command, and what came of it. */
export class Narrator {
  readonly #terminal: Terminal;
  #steps = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  step(title: string, why: string): void {
    this.#steps++;
    this.#terminal.out(`\n${this.#terminal.style.bold(`${this.#steps}. ${title}`)}`);
    this.#terminal.out(this.#terminal.style.dim(indent(why, 3)));
  }

  /** A command as a reader would type it. */
  command(text: string): void {
    this.#terminal.out(`\n   $ ${text}`);
  }

  show(text: string): void {
    this.#terminal.out(indent(text.trimEnd(), 3));
  }

  seen(text: string): void {
    this.#terminal.out(`   ${this.#terminal.style.good('✓')} ${text}`);
  }
}

function indent(text: string, by: number): string {
  return text
    .split('\n')
    .map((line) => ' '.repeat(by) + line)
    .join('\n');
}
