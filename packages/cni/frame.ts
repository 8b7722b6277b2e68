import { CNI_CODES, CniError } from './errors.ts';

/**
 * What the executable and the agent say to each other, one exchange a connection.
 *
 *     request   "podway-cni 1\n", then NAME=VALUE\0 for each CNI_ variable, then \0, then standard input, then end
 *     response  one digit, the exit status; then what goes to standard output; then end
 *
 * So plain a form that a shell and netcat can speak it; and no value needs quoting, as none can hold a NUL.
 */
export const FRAME_GREETING = 'podway-cni 1\n';

/** More than any configuration needs: a Pod's longest has some hundred port mappings. */
export const MAX_REQUEST_BYTES = 1 << 20;

export interface RequestFrame {
  readonly environment: ReadonlyMap<string, string>;
  readonly input: string;
}

/** @throws CniError 6 */
export function decodeRequest(bytes: Uint8Array): RequestFrame {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.toString('latin1', 0, FRAME_GREETING.length).startsWith(FRAME_GREETING))
    throw malformed('it does not begin with the greeting of this version');
  const environment = new Map<string, string>();
  let position = FRAME_GREETING.length;
  for (;;) {
    const end = buffer.indexOf(0, position);
    if (end < 0) throw malformed('the list of variables has no end');
    const entry = buffer.toString('utf8', position, end);
    position = end + 1;
    if (entry === '') break;
    const equals = entry.indexOf('=');
    if (equals <= 0) throw malformed('a variable is not NAME=VALUE');
    environment.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  return { environment, input: buffer.toString('utf8', position) };
}

export function encodeRequest({ environment, input }: RequestFrame): Buffer {
  const variables = [...environment].map(([name, value]) => `${name}=${value}\0`);
  return Buffer.from(`${FRAME_GREETING}${variables.join('')}\0${input}`);
}

export interface Outcome {
  readonly exitStatus: 0 | 1;
  /** Empty where the specification wants no output. */
  readonly output: string;
}

export function encodeOutcome({ exitStatus, output }: Outcome): Buffer {
  return Buffer.from(`${exitStatus}${output}`);
}

function malformed(reason: string): CniError {
  return new CniError(CNI_CODES.undecodable, `the request on the agent's socket is malformed: ${reason}`, {
    details: 'is the installed CNI executable of the same version as the agent?',
  });
}
