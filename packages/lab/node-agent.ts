import { get } from 'node:http';
import type { IpAddress } from '#ip';
import { type Clock, sleep, systemClock } from '#runtime';
import type { ProxyMechanism } from '#service-proxy';
import { HEALTH_PORT } from './agent-process.ts';
import { LabError } from './errors.ts';
import { lastWords } from './last-words.ts';
import type { SupervisedProcess } from './supervised-process.ts';
import type { SwitchableAgent } from './switch-proxy.ts';

const LOOK_EVERY_MS = 25;
const LOOK_FOR_MS = 1_000;
/** As long as a node with tens of thousands of Services may take to carry them anew, and more. */
const SERVES_WITHIN_MS = 60_000;

/** A node's agent, started anew with another `--proxy`. */
export class NodeAgent implements SwitchableAgent {
  readonly #name: string;
  readonly #address: IpAddress;
  readonly #process: SupervisedProcess;
  readonly #log: string;
  readonly #command: (proxy: ProxyMechanism) => readonly string[];
  readonly #clock: Clock;

  constructor(
    name: string,
    address: IpAddress,
    process: SupervisedProcess,
    log: string,
    command: (proxy: ProxyMechanism) => readonly string[],
    clock: Clock = systemClock,
  ) {
    this.#name = name;
    this.#address = address;
    this.#process = process;
    this.#log = log;
    this.#command = command;
    this.#clock = clock;
  }

  /** @throws LabError with the agent's last words when it ends instead */
  async carryBy(proxy: ProxyMechanism): Promise<void> {
    await this.#process.replace(this.#command(proxy));
    const { restarts } = this.#process.status();
    const until = this.#clock.monotonic() + SERVES_WITHIN_MS;
    while (!(await isLive(this.#address))) {
      const now = this.#process.status();
      if (now.state !== 'running' || now.restarts > restarts)
        throw new LabError(`the agent of ${this.#name} ended: ${lastWords(this.#log)}`);
      if (this.#clock.monotonic() > until)
        throw new LabError(
          `the agent of ${this.#name} did not carry Services after ${SERVES_WITHIN_MS / 1000} s`,
        );
      await sleep(this.#clock, LOOK_EVERY_MS);
    }
  }
}

/** Whether the agent says that Services are programmed; it does only when what another mechanism left is gone as well. */
function isLive(host: IpAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get(
      { host, port: HEALTH_PORT, path: '/livez', agent: false, timeout: LOOK_FOR_MS },
      (response) => {
        response.resume().on('end', () => resolve(response.statusCode === 200));
      },
    );
    asked
      .on('timeout', () => asked.destroy())
      .on('close', () => resolve(false))
      .on('error', () => {});
  });
}
