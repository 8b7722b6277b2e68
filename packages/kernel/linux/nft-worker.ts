import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { KernelError } from '../errors.ts';
import { LIBNFTABLES, type NftResult } from './libnftables.ts';

/**
 * The worker's program: it enters the namespace for good, as its thread ends with it, and runs one script. It is text
 * so that it is there in the bundled program as well, and it repeats the declarations that it needs.
 */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const koffi = require(workerData.koffi);
const setns = koffi.load(null).func('int setns(int, int)');
if (setns(workerData.netns, 0x40000000) !== 0) throw new Error('setns failed: errno ' + koffi.errno());
const nft = koffi.load(workerData.library);
const context = nft.func('void *nft_ctx_new(uint32_t)')(0);
nft.func('int nft_ctx_buffer_output(void *)')(context);
nft.func('int nft_ctx_buffer_error(void *)')(context);
const status = nft.func('int nft_run_cmd_from_buffer(void *, const char *)')(context, workerData.script);
const errors = nft.func('const char *nft_ctx_get_error_buffer(void *)')(context);
nft.func('void nft_ctx_free(void *)')(context);
parentPort.postMessage({ ok: status === 0, output: '', errors });
`;

/** Runs a long script on a thread of its own, as it would hold up everything else on this one. @throws KernelError */
export function runNftInWorker(netns: number, script: string): Promise<NftResult> {
  return new Promise((resolve, reject) => {
    const koffi = createRequire(import.meta.url).resolve('koffi');
    const workerData = { koffi, library: LIBNFTABLES, netns, script };
    const worker = new Worker(PROGRAM, {
      eval: true,
      workerData,
      execArgv: [],
      stdout: false,
      stderr: false,
    });
    const fail = (cause: unknown) =>
      reject(new KernelError({ errno: 'EIO', operation: 'run', object: 'nft worker' }, { cause }));
    worker.once('message', resolve);
    worker.once('error', fail);
    worker.once('exit', (code) => fail(new Error(`the worker ended with code ${code}`)));
  });
}
