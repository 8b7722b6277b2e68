import { readFileSync } from 'node:fs';
import type { Image } from './image-archive.ts';

const APPLETS = ['cat', 'hostname', 'httpd', 'ip', 'nc', 'nslookup', 'sh', 'sleep', 'wget'] as const;

/** An image of nothing but a static busybox: enough for a sandbox that waits and for containers that use the network. */
export function busyboxImage(name: string, busybox: string): Image {
  return {
    name,
    files: [
      ...['bin', 'dev', 'etc', 'proc', 'sys', 'tmp', 'www'].map(
        (path) => ({ kind: 'directory', path }) as const,
      ),
      { kind: 'file', path: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
      ...APPLETS.map((applet) => ({ kind: 'symlink', path: `bin/${applet}`, target: 'busybox' }) as const),
      { kind: 'file', path: 'www/index.html', content: Buffer.from('hello from a container\n'), mode: 0o644 },
    ],
    command: ['/bin/sleep', '1000000'],
  };
}

/** ELF-64: program headers of type PT_INTERP name the dynamic loader. */
export function isStatic(program: string): boolean {
  const elf = readFileSync(program);
  const PT_INTERP = 3;
  const start = Number(elf.readBigUInt64LE(0x20));
  const size = elf.readUInt16LE(0x36);
  const count = elf.readUInt16LE(0x38);
  return Array.from({ length: count }, (_, i) => elf.readUInt32LE(start + i * size)).every(
    (type) => type !== PT_INTERP,
  );
}
