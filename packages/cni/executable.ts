import { accessSync, constants, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { InvalidInputError, writeFileAtomically } from '#runtime';
import { CNI_CODES } from './errors.ts';
import { FRAME_GREETING } from './frame.ts';
import { CNI_VERSIONS, LATEST_CNI_VERSION } from './version.ts';

/** The plugin's name: `type` in configurations, and the executable's file name. */
export const PLUGIN_TYPE = 'podway';

/** How a script can reach a unix socket: its words, standard input and output being the socket's two directions. */
export type Transport = readonly string[];

export interface InstallOptions {
  /** The directory that container runtimes look for plugins in. */
  readonly binDir: string;
  /** The agent's socket. */
  readonly socketPath: string;
  /** The compiled client of `client/podway-cni.c`, when the build made one; a script serves else. */
  readonly compiledClient: string | undefined;
  /** PATH, for a script's netcat. */
  readonly searchPath: string;
  /** How long the executable waits for an answer of an agent that runs; {@link ANSWER_SECONDS} unless told. */
  readonly answerSeconds?: number;
}

/** Far beyond what a busy agent takes, and well within the two minutes that a kubelet gives a runtime. */
export const ANSWER_SECONDS = 30;

/** Puts the executable in its place, in one rename. @returns what a script uses; undefined when it is the compiled client */
export function installExecutable(options: InstallOptions): Transport | undefined {
  const target = {
    socketPath: checkSocketPath(options.socketPath),
    seconds: options.answerSeconds ?? ANSWER_SECONDS,
  };
  mkdirSync(options.binDir, { recursive: true });
  const install = (content: string | Uint8Array) =>
    writeFileAtomically(join(options.binDir, PLUGIN_TYPE), content, 0o755);
  if (options.compiledClient !== undefined) {
    install(pointClient(readFileSync(options.compiledClient), target));
    return undefined;
  }
  const transport = chooseTransport(target, options.searchPath);
  install(clientScript(target.socketPath, transport));
  return transport;
}

export function removeExecutable(binDir: string): void {
  rmSync(join(binDir, PLUGIN_TYPE), { force: true });
}

/** The agent's socket, and the seconds it has for an answer. */
interface Target {
  readonly socketPath: string;
  readonly seconds: number;
}

/** The room that the compiled client has for its target: marked in the file, filled when it is installed. */
const SOCKET_MARK = Buffer.from('@podway-agent-socket@');
const SOCKET_ROOM = 128;

/** The compiled client, with its target written into it: two strings, each with its NUL. */
function pointClient(client: Uint8Array, { socketPath, seconds }: Target): Buffer {
  const copy = Buffer.from(client);
  const at = copy.indexOf(SOCKET_MARK);
  if (at < 0)
    throw new InvalidInputError(
      'compiledClient',
      SOCKET_MARK.toString(),
      'the file has no such mark: it is not a Podway CNI client',
    );
  copy.fill(0, at, at + SOCKET_ROOM);
  copy.write(`${socketPath}\0${seconds}`, at);
  return copy;
}

/**
 * The first of the programs at hand that joins standard input and output to a unix socket; Node itself always can. It fails
 * when nobody listens, and ends well without output when nothing is answered in time.
 */
function chooseTransport({ socketPath, seconds }: Target, searchPath: string): Transport {
  // Only OpenBSD's netcat has -U with -N; Debian installs it as nc.openbsd.
  const netcat = findProgram('nc.openbsd', searchPath);
  if (netcat !== undefined) return [netcat, '-N', '-w', String(seconds), '-U', socketPath];
  const socat = findProgram('socat', searchPath);
  if (socat !== undefined) return [socat, '-t', String(seconds), '-', `UNIX-CONNECT:${socketPath}`];
  const program = `const s=require("net").connect({path:process.argv[1],allowHalfOpen:true});s.on("error",()=>process.exit(1));s.setTimeout(${seconds * 1000},()=>process.exit());process.stdin.pipe(s);s.pipe(process.stdout)`;
  return [process.execPath, '-e', program, socketPath];
}

function findProgram(name: string, searchPath: string): string | undefined {
  for (const dir of [...searchPath.split(delimiter), '/usr/bin', '/bin', '/usr/local/bin']) {
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** The executable as a POSIX shell script. Nothing of a request is ever parsed by the shell. */
function clientScript(socketPath: string, transport: Transport): string {
  const versions = CNI_VERSIONS.map((version) => `"${version}"`).join(',');
  return `#!/bin/sh
# Podway's CNI plugin: hands each request to the node's agent. Written by the agent; do not edit.
config=$(cat)
case $config in
*'"cniVersion"'*) version=\${config#*'"cniVersion"'} version=\${version#*'"'} version=\${version%%'"'*} ;;
*) version= ;;
esac
case $version in '' | *[!0-9.]*) version=${LATEST_CNI_VERSION} ;; esac
case $CNI_COMMAND in
VERSION)
  printf '{"cniVersion":"%s","supportedVersions":[%s]}\\n' "$version" '${versions}'
  exit 0
  ;;
esac
ask() {
  printf '${FRAME_GREETING.replace('\n', '\\n')}'
  for name in CNI_COMMAND CNI_CONTAINERID CNI_NETNS CNI_IFNAME CNI_ARGS CNI_PATH; do
    eval "value=\\$$name"
    printf '%s=%s\\000' "$name" "$value"
  done
  printf '\\000%s' "$config"
}
# A restarting agent is back within a second or two; nothing is sent before it listens.
tries=0
while :; do
  answer=$(ask | ${transport.map(quote).join(' ')} 2>/dev/null)
  connected=$?
  case $answer in
  [01]*) break ;;
  esac
  tries=$((tries + 1))
  if [ $tries -ge 20 ] || [ $connected -eq 0 ]; then
    # A Pod must be able to go: the agent releases what it finds gone when it is back.
    [ "$CNI_COMMAND" = DEL ] && exit 0
    printf '{"cniVersion":"%s","code":%s,"msg":"%s","details":"%s"}\\n' "$version" ${CNI_CODES.tryAgainLater} \\
      'the Podway agent of this node does not answer' 'is it running? its socket is ${socketPath}'
    exit 1
  fi
  sleep 0.1
done
output=\${answer#?}
[ -z "$output" ] || printf '%s\\n' "$output"
exit "\${answer%"$output"}"
`;
}

/** One word for a shell. */
function quote(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** sun_path has 108 bytes; and the path is written into a script. */
function checkSocketPath(path: string): string {
  if (!/^\/[\w./@:+-]{1,106}$/.test(path))
    throw new InvalidInputError(
      'socketPath',
      path,
      'must be an absolute path of at most 107 letters, digits and . _ / @ : + -',
    );
  return path;
}
