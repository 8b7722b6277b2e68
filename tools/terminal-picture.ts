/**
 * Draws what a command printed as an SVG picture of a terminal, for the documentation:
 *
 *     ./podway demo | node tools/terminal-picture.ts './podway demo' > docs/demo.svg
 */
import { text } from 'node:stream/consumers';

const LINE = 17;
const CHARACTER = 7.85;
const MARGIN = 16;

const escapeXml = (line: string) =>
  line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function colour(line: string): string {
  if (/^\s*✓/.test(line)) return '#7ee787';
  if (/^\s*\$ /.test(line)) return '#79c0ff';
  if (/^\d+\. /.test(line)) return '#f0c674';
  return '#c9d1d9';
}

function picture(lines: readonly string[]): string {
  const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * CHARACTER) + 2 * MARGIN;
  const height = lines.length * LINE + 2 * MARGIN;
  const rows = lines.flatMap((line, index) =>
    line === ''
      ? []
      : [
          `<text x="${MARGIN}" y="${MARGIN + (index + 0.8) * LINE}" fill="${colour(line)}">${escapeXml(line)}</text>`,
        ],
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13" xml:space="preserve">`,
    ...rows,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

const [command = ''] = process.argv.slice(2);
const output = (await text(process.stdin)).trimEnd().split('\n');
process.stdout.write(picture([`$ ${command}`, ...output]));
