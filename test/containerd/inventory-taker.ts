import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { TestLab } from '../scenarios/support/lab.ts';
import type { NodeInventory } from './node-inventory.ts';

const PROGRAM = join(import.meta.dirname, 'node-inventory.ts');

/** Takes inventories of a node in one process: each starts in half a second. The lab's end is its end. */
export class InventoryTaker {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>) {
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  static async start(lab: TestLab, node: string): Promise<InventoryTaker> {
    const words = [process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM];
    const state = `/run/podway/nodes/${node}/state`;
    const [program = '', ...args] = await lab.commandIn(node, [...words, state]);
    return new InventoryTaker(spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  async take(): Promise<NodeInventory> {
    this.#process.stdin.write('\n');
    const { value } = await this.#lines.next();
    return JSON.parse(value) as NodeInventory;
  }
}
