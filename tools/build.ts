/**
 * Bundles the program into dist/: one entry, one chunk for each job that is imported dynamically, so that a lab's
 * processes load their own code only; and a file for each thread. (Stripping types at run time costs each process 18 MB and 35 ms.)
 *
 * Compiles the CNI executable too, where there is a C compiler.
 *
 *   node tools/build.ts
 *
 * Files are replaced one by one and old chunks stay for a day: a running lab may still have to load one.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { type BuildOptions, build, type OutputFile, type Plugin } from 'esbuild';
import { compileClient } from '../packages/cni/client/compile.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const OLD_CHUNK_MS = 24 * 3600_000;
/** Programs of threads: a file each, which names no other, so that a thread finds all of its own version whenever it begins. */
const THREADS = ['packages/service-proxy/backends/userspace/relay-program.ts'];
/** Names in dist/ of the programs of threads, by those of their sources. */
const threadFiles = new Map<string, string>();

/** Sources that find files beside themselves by `import.meta.dirname` go on finding them there; a thread's program is in dist/. */
const sourceDirectories: Plugin = {
  name: 'source-directories',
  setup(plugin) {
    plugin.onLoad({ filter: /\/packages\/[^/]+\/.*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.')) return { contents: source, loader: 'ts' };
      const up = (file: string) =>
        `new URL(${JSON.stringify(`../${relative(root, file)}`)}, import.meta.url)`;
      const pattern =
        /new URL\('\.\/([\w-]+)\.ts', import\.meta\.url\)|\bimport\.meta\.(dirname|filename|url)\b/g;
      const contents = source.replaceAll(pattern, (found, program?: string, what?: string) => {
        if (program !== undefined)
          return found.replace(`${program}.ts`, threadFiles.get(program) ?? fail(found));
        switch (what) {
          case 'dirname':
            return `decodeURIComponent(${up(dirname(path))}.pathname)`;
          case 'filename':
            return `decodeURIComponent(${up(path)}.pathname)`;
          default:
            return `${up(path)}.href`;
        }
      });
      return { contents, loader: 'ts' };
    });
  },
};

/**
 * An ECMAScript import of one of Node's modules reads every property of it once, lazy ones too: `node:http` alone loads
 * all of undici so (30 ms and 6 MB a process). Here an import takes the plain properties from the module object.
 */
const builtinModules: Plugin = {
  name: 'builtin-modules',
  setup(plugin) {
    plugin.onResolve({ filter: /^(node:)?[a-z_/]+$/ }, ({ path, kind }) => {
      const statically = kind === 'import-statement' || kind === 'dynamic-import';
      return statically && isBuiltin(path) ? { path, namespace: 'builtin', sideEffects: false } : undefined;
    });
    plugin.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
      const properties = Object.getOwnPropertyDescriptors(process.getBuiltinModule(path) ?? {});
      const names = Object.entries(properties)
        .filter(
          ([name, { get }]) => get === undefined && /^[a-zA-Z_$][\w$]*$/.test(name) && name !== 'default',
        )
        .map(([name]) => name);
      const contents = [
        `const builtin = process.getBuiltinModule(${JSON.stringify(path)});`,
        'export default builtin;',
        ...names.map((name) => `const $${name} = builtin.${name}; export { $${name} as ${name} };`),
      ].join('\n');
      return { contents, loader: 'js' };
    });
  },
};

const started = Date.now();
// Where there is no C compiler a script serves in its place; the agent says so.
const client = compileClient();
const options = {
  absWorkingDir: root,
  outdir: dist,
  write: false,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  external: ['koffi'],
  minifySyntax: true,
  keepNames: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  // CommonJS dependencies call require() for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  plugins: [sourceDirectories, builtinModules],
  logLevel: 'warning',
} satisfies BuildOptions;
const outputFiles: OutputFile[] = [];
for (const thread of THREADS) {
  const built = await build({ ...options, entryPoints: [thread], entryNames: '[name]-[hash]', write: false });
  outputFiles.push(...built.outputFiles);
  const program = built.outputFiles.find(({ path }) => path.endsWith('.js'));
  if (program !== undefined) threadFiles.set(basename(thread, '.ts'), basename(program.path));
}
const entryPoints = { podway: 'packages/cli/main.ts' };
const chunks = { splitting: true, chunkNames: '[name]-[hash]' };
const result = await build({ ...options, ...chunks, entryPoints, write: false });
outputFiles.push(...result.outputFiles);

await client;

mkdirSync(dist, { recursive: true });
// The entry last: whoever starts in between finds the chunks it names.
const outputs = outputFiles.toSorted((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path)));
for (const { path, contents } of outputs) {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}
const written = new Set(outputs.map(({ path }) => basename(path)));
for (const name of readdirSync(dist)) {
  const path = join(dist, name);
  if (!written.has(name) && name !== '.built' && isOlderThan(path, started - OLD_CHUNK_MS)) rmSync(path);
}
// Dated by the start: a source saved during the build makes the next command build again.
const stamp = join(dist, '.built');
writeFileSync(stamp, '');
utimesSync(stamp, started / 1000, started / 1000);

function fail(found: string): never {
  throw new Error(`${found}: only the program of a thread is found so; see THREADS`);
}

function isEntry(path: string): boolean {
  return basename(path).startsWith('podway.js');
}

/** Another build may have removed it meanwhile. */
function isOlderThan(path: string, time: number): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < time;
}
