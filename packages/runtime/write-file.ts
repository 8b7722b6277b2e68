import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Readers see the old content or the new, never a part. Equal content is left alone.
 * @returns whether it was written
 * @throws the system's error (ENOENT when the directory is not there); the old file stays
 */
export function writeFileAtomically(path: string, content: string | Uint8Array, mode: number): boolean {
  const bytes = Buffer.from(content);
  if (isContent(path, bytes)) return false;
  // The name starts with a dot, so that no container runtime takes it for a configuration or a plugin.
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
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
