import { PodwayError } from '#runtime';

/** A plugin refused (CNI spec, section 5, Error). */
export class CniError extends PodwayError {
  readonly code = 'Cni';
  /** The spec's number: 11 is "try again later", 50 "not available". */
  readonly cniCode: number;
  constructor(plugin: string, command: string, cniCode: number, message: string) {
    super(`plugin type="${plugin}" failed (${command.toLowerCase()}): ${message}`);
    this.cniCode = cniCode;
  }
}

/** The parts of an ADD's result that the kubelet reads; the rest goes to the next plugin as it is. */
export interface CniResult {
  readonly ips?: readonly { readonly address: string; readonly interface?: number }[];
  readonly [key: string]: unknown;
}

/** The addresses of a result, without prefix lengths, in the result's order. */
export function resultAddresses(result: CniResult): readonly string[] {
  return (result.ips ?? []).map(({ address }) => address.replace(/\/.*$/, ''));
}

/** The message of an error object on a plugin's stdout, or whatever it wrote. */
export function parseCniFailure(
  plugin: string,
  command: string,
  output: { readonly stdout: string; readonly stderr: string; readonly status: string },
): CniError {
  try {
    const { code, msg, details } = JSON.parse(output.stdout) as {
      code?: unknown;
      msg?: unknown;
      details?: unknown;
    };
    if (typeof code === 'number' && typeof msg === 'string')
      return new CniError(
        plugin,
        command,
        code,
        typeof details === 'string' && details !== '' ? `${msg}; ${details}` : msg,
      );
  } catch {
    // Not an error object: what it wrote is all there is.
  }
  const text = [output.stderr.trim(), output.stdout.trim()].filter((part) => part !== '').join('; ');
  return new CniError(plugin, command, 999, text === '' ? `ended with ${output.status}` : text);
}
