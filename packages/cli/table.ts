import { stripVTControlCharacters } from 'node:util';

/** Columns as wide as their widest cell, three spaces between, as kubectl prints them. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))));
  return lines
    .map((line) =>
      widths
        .map((width, column) => (line[column] ?? '') + ' '.repeat(width - widthOf(line[column] ?? '')))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** A duration as kubectl shows ages: `7s`, `5m12s`, `3h20m`, `2d4h`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (minutes < 2) return `${seconds}s`;
  if (hours < 1) return minutes < 10 ? pair(minutes, 'm', seconds % 60, 's') : `${minutes}m`;
  if (days < 1) return hours < 8 ? pair(hours, 'h', minutes % 60, 'm') : `${hours}h`;
  return days < 8 ? pair(days, 'd', hours % 24, 'h') : `${days}d`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
