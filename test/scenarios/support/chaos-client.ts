/** What a request of {@link CHAOS_CLIENT} came to; times are milliseconds since the epoch. */
export interface ChaosRequest {
  readonly target: string;
  readonly protocol: 'tcp' | 'udp';
  readonly begun: number;
  readonly ended: number;
  /** The name of the Pod that answered, or why none did: `refused`, `reset` (after it had been accepted), `silence`, or an error. */
  readonly outcome: string;
}

/**
 * Asks `ADDRESS TCP-PORT UDP-PORT SECONDS…` for names of Pods, on a connection or a socket of its own each time, and prints a line
 * `TARGET PROTOCOL BEGUN ENDED OUTCOME` for each. Arguments: seconds, pause in milliseconds, TCP port, UDP port, addresses.
 */
export const CHAOS_CLIENT = `
  const http = require('node:http');
  const dgram = require('node:dgram');
  const [seconds, pause, tcp, udp, ...addresses] = process.argv.slice(1);
  const end = Date.now() + Number(seconds) * 1000;
  const word = (error) => ({ ECONNREFUSED: 'refused', ECONNRESET: 'reset' })[error.code] ?? error.code ?? error.message;
  const byTcp = (host) => new Promise((resolve) => {
    const request = http.get({ host, port: tcp, path: '/hostname', agent: false, timeout: 10000 }, (response) => {
      let body = '';
      response.on('data', (part) => body += part).on('end', () => resolve(body.trim())).on('error', (error) => resolve(word(error)));
    });
    request.on('timeout', () => request.destroy(new Error('silence')));
    request.on('error', (error) => resolve(word(error)));
  });
  const byUdp = (host) => new Promise((resolve) => {
    const socket = dgram.createSocket('udp4');
    const done = (what) => { clearTimeout(timer); socket.close(); resolve(what); };
    const timer = setTimeout(() => done('silence'), 4000);
    socket.on('error', (error) => done(word(error)));
    socket.on('message', (message) => done(String(message).trim()));
    socket.connect(Number(udp), host, () => socket.send('hostname', (error) => error && done(word(error))));
  });
  const work = async (protocol, ask) => {
    while (Date.now() < end) {
      for (const target of addresses) {
        const begun = Date.now();
        const outcome = await ask(target);
        console.log([target, protocol, begun, Date.now(), outcome].join(' '));
        await new Promise((resolve) => setTimeout(resolve, Number(pause)));
      }
    }
  };
  work('tcp', byTcp);
  work('udp', byUdp);
`;

export function parseRequests(output: string): readonly ChaosRequest[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [target = '', protocol, begun, ended, ...outcome] = line.split(' ');
      return {
        target,
        protocol: protocol === 'udp' ? 'udp' : 'tcp',
        begun: Number(begun),
        ended: Number(ended),
        outcome: outcome.join(' '),
      };
    });
}
