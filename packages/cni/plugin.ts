import { type Clock, errorMessage, type Logger, PodwayError } from '#runtime';
import { CNI_CODES, CniError, errorResult } from './errors.ts';
import type { Outcome, RequestFrame } from './frame.ts';
import { type NetworkIdentity, parseConfig, parseIdentity } from './network-config.ts';
import type { NodeAttachments } from './node-attachments.ts';
import { type CniRequest, podOf, readRequest } from './request.ts';
import { formatResult } from './result.ts';
import { CNI_VERSIONS, LATEST_CNI_VERSION, requireCommand } from './version.ts';

export interface CniPluginDeps {
  readonly attachments: NodeAttachments;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each execution, for metrics. */
  readonly onExecuted?: (execution: {
    readonly command: string;
    /** Of the error result; 0 is success. */
    readonly code: number;
    readonly milliseconds: number;
  }) => void;
}

/** The plugin as the CNI specification 1.1.0 has it: an execution's environment and input -> its output and exit status. */
export class CniPlugin {
  readonly #deps: CniPluginDeps;

  constructor(deps: CniPluginDeps) {
    this.#deps = deps;
  }

  /** Answers one execution. Never throws: a failure is an error result. */
  async execute(frame: RequestFrame): Promise<Outcome> {
    const { clock, onExecuted } = this.#deps;
    const started = clock.monotonic();
    const { command, code, outcome } = await this.#execute(frame);
    onExecuted?.({ command, code, milliseconds: clock.monotonic() - started });
    return outcome;
  }

  async #execute(frame: RequestFrame): Promise<{
    readonly command: string;
    readonly code: number;
    readonly outcome: Outcome;
  }> {
    let version: string = LATEST_CNI_VERSION;
    let command = 'unknown';
    try {
      const request = readRequest(frame.environment, frame.input);
      command = request.command;
      if (request.command === 'VERSION')
        return { command, code: 0, outcome: success(versionResult(request.config)) };
      const identity = parseIdentity(request.config);
      version = identity.cniVersion;
      return { command, code: 0, outcome: success(await this.#dispatch(request, identity)) };
    } catch (error) {
      const known = asCniError(error);
      const container = frame.environment.get('CNI_CONTAINERID');
      this.#deps.logger.warn(`CNI ${command} failed: ${known.message}`, {
        container,
        details: known.details,
        stack: isUnforeseen(error) ? error.stack : undefined,
      });
      const output = JSON.stringify(errorResult(known, version));
      return { command, code: known.cniCode, outcome: { exitStatus: 1, output } };
    }
  }

  async #dispatch(request: CniRequest, { name, cniVersion }: NetworkIdentity): Promise<object | undefined> {
    const { attachments } = this.#deps;
    requireCommand(request.command, cniVersion);
    const { containerId, netns, ifName } = request;
    const key = { network: name, containerId, ifName };
    const wanted = () => ({ key, netns, pod: podOf(request), config: parseConfig(request.config) });
    switch (request.command) {
      case 'ADD':
        return formatResult(await attachments.add(wanted()), cniVersion);
      case 'DEL':
        // Nothing else of the configuration is looked at: a mistake in it must not keep the Pod from going.
        await attachments.delete(key);
        return undefined;
      case 'CHECK':
        await attachments.check(wanted());
        return undefined;
      case 'GC':
        await attachments.collect(parseConfig(request.config));
        return undefined;
      case 'STATUS':
        attachments.requireRoom();
        return undefined;
      case 'VERSION':
        return versionResult(request.config);
    }
  }
}

/** Specification section 2, VERSION: the version asked with, and those that are spoken. */
function versionResult(config: string): object {
  const asked = /"cniVersion"\s*:\s*"([0-9.]{1,16})"/.exec(config)?.[1];
  return { cniVersion: asked ?? LATEST_CNI_VERSION, supportedVersions: CNI_VERSIONS };
}

function success(result: object | undefined): Outcome {
  return { exitStatus: 0, output: result === undefined ? '' : JSON.stringify(result) };
}

/** Not thrown on purpose: a mistake of ours, or the disk's. */
function isUnforeseen(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof PodwayError);
}

function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  // node:sqlite's own errors are plain ones with SQLite's number.
  const isStore = error instanceof Error && 'errcode' in error;
  const what = isStore
    ? 'the agent cannot write its state'
    : error instanceof PodwayError
      ? 'the kernel refused'
      : 'internal error';
  return new CniError(isStore ? CNI_CODES.io : CNI_CODES.internal, `${what}: ${errorMessage(error)}`, {
    cause: error,
  });
}
