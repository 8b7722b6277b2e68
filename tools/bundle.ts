import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, relative, resolve } from 'node:path';
import { type BuildOptions, build, type OutputFile, type Plugin } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
/** Programs of threads: a file each, which names no other, so that a thread finds all of its own version whenever it begins. */
const THREADS = ['packages/service-proxy/backends/userspace/relay-program.ts'];

/**
 * Bundles programs: a chunk for each job that is imported dynamically, and a file for each thread. Nothing is written.
 * @param entryPoints their sources in the repository, by the name that each gets
 * @param directory where the files are to be, in the repository
 */
export async function bundle(
  entryPoints: Readonly<Record<string, string>>,
  directory: string,
): Promise<readonly OutputFile[]> {
  /** Names of the programs of threads, by those of their sources. */
  const threadFiles = new Map<string, string>();
  const options = {
    absWorkingDir: root,
    outdir: directory,
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
    plugins: [sourceDirectories(directory, threadFiles), builtinModules],
    logLevel: 'warning',
  } satisfies BuildOptions;
  const outputFiles: OutputFile[] = [];
  for (const thread of THREADS) {
    const built = await build({
      ...options,
      entryPoints: [thread],
      entryNames: '[name]-[hash]',
      write: false,
    });
    outputFiles.push(...built.outputFiles);
    const program = built.outputFiles.find(({ path }) => path.endsWith('.js'));
    if (program !== undefined) threadFiles.set(basename(thread, '.ts'), basename(program.path));
  }
  const chunks = { splitting: true, chunkNames: '[name]-[hash]' };
  const result = await build({ ...options, ...chunks, entryPoints: { ...entryPoints }, write: false });
  return [...outputFiles, ...result.outputFiles];
}

/** Sources that find files beside themselves by `import.meta.dirname` go on finding them there; a thread's program is beside the bundle. */
const sourceDirectories = (directory: string, threadFiles: ReadonlyMap<string, string>): Plugin => ({
  name: 'source-directories',
  setup(plugin) {
    plugin.onLoad({ filter: /\/packages\/[^/]+\/.*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.')) return { contents: source, loader: 'ts' };
      const up = (file: string) => `new URL(${JSON.stringify(relative(directory, file))}, import.meta.url)`;
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
});

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

function fail(found: string): never {
  throw new Error(`${found}: only the program of a thread is found so; see THREADS`);
}
