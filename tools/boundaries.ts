/** Checks the import rules of ARCHITECTURE.md: imports go down the layers, and into a package only by its name. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';

/** Lowest first. A package may import what stands in a lower layer; inside an `ordered` layer, also what stands before it. */
const LAYERS: readonly { readonly ordered: boolean; readonly packages: readonly string[] }[] = [
  { ordered: true, packages: ['runtime', 'ip', 'pki', 'kube-api'] },
  { ordered: true, packages: ['kernel', 'cgroup', 'kube-client'] },
  { ordered: false, packages: ['pod-network', 'service-proxy', 'dns'] },
  { ordered: true, packages: ['cni', 'agent', 'apiserver', 'builtin', 'kubelet', 'lab', 'cli'] },
];

const root = resolve(import.meta.dirname, '..');
const place = new Map(
  LAYERS.flatMap(({ packages }, layer) => packages.map((name, index) => [name, { layer, index }] as const)),
);

function mayImport(from: string, to: string): boolean {
  const a = place.get(from);
  const b = place.get(to);
  if (a === undefined || b === undefined) return false;
  if (from === to) return false;
  return (
    b.layer < a.layer || (b.layer === a.layer && (LAYERS[a.layer]?.ordered ?? false) && b.index < a.index)
  );
}

export function violations(): readonly string[] {
  const found: string[] = [];
  for (const file of globSync('packages/**/*.ts', { cwd: root })) {
    const own = file.split('/')[1] ?? '';
    if (!place.has(own)) found.push(`${file}: package ${own} has no layer in tools/boundaries.ts`);
    const text = readFileSync(join(root, file), 'utf8');
    for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'([#.][^']+)'/g)) {
      const target = match[1] ?? '';
      if (target.startsWith('.')) {
        const path = normalize(join(dirname(file), target));
        if (!path.startsWith(`packages/${own}/`))
          found.push(`${file}: ${target} leaves the package; import it as #name`);
        continue;
      }
      const name = target.slice(1).split('/')[0] ?? '';
      // A package's tests may use any package: they stand above everything.
      if (file.endsWith('.test.ts')) continue;
      if (!mayImport(own, name))
        found.push(`${file}: ${own} must not import ${name} (see the layers in ARCHITECTURE.md)`);
    }
  }
  return found;
}

if (import.meta.main) {
  const found = violations();
  for (const line of found) process.stderr.write(`${line}\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
