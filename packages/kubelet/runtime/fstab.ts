/** One mount, as a line of fstab(5). */
export interface MountLine {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

/** fstab(5): blanks, tabs, newlines and backslashes are written as three octal digits. */
function field(text: string): string {
  return text.replace(/[\s\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** The text of a table of mounts, which `mount --all --fstab FILE` makes in one go. */
export function formatFstab(lines: readonly MountLine[]): string {
  return lines
    .map(
      ({ source, target, type, options }) =>
        `${field(source)} ${field(target)} ${type} ${field(options)} 0 0\n`,
    )
    .join('');
}
