import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Readers see the old content or the new, never a part. Equal content is left alone. @returns whether it was written */
export function writeFileAtomically(path: string, content: string | Uint8Array, mode: number): boolean {
  const bytes = Buffer.from(content);
  if (isContent(path, bytes)) return false;
  mkdirSync(dirname(path), { recursive: true });
  // The name starts with a dot, so that no runtime takes it for a configuration or a plugin.
  const temporary = `${dirname(path)}/.${path.slice(path.lastIndexOf('/') + 1)}.${process.pid}`;
  writeFileSync(temporary, bytes, { mode });
  chmodSync(temporary, mode);
  renameSync(temporary, path);
  return true;
}

function isContent(path: string, bytes: Buffer): boolean {
  try {
    return readFileSync(path).equals(bytes);
  } catch {
    return false;
  }
}
