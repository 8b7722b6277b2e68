/** One diagram: lines over a number of Services, both axes logarithmic. */
export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

export interface Line {
  readonly name: string;
  /** Number of a colour: equal ones belong together. */
  readonly colour: number;
  readonly dashed: boolean;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const COLOURS = ['#0b6e4f', '#c75000', '#6a3d9a', '#1f6fb2'];
const COLUMNS = 3;
const PANEL = { width: 300, height: 190, left: 52, top: 30, right: 14, bottom: 26 };
const HEADER = 54;

/** Small diagrams beside each other with one legend, as a page of SVG. */
export function plot(title: string, panels: readonly Panel[]): string {
  const width = COLUMNS * PANEL.width;
  const height = HEADER + Math.ceil(panels.length / COLUMNS) * PANEL.height;
  const legend = new Map(panels.flatMap(({ lines }) => lines.map((line) => [line.name, line] as const)));
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(PANEL.left, 20, title, 'font-weight="bold" font-size="13"'),
  ];
  [...legend.values()].forEach((line, i) => {
    const x = PANEL.left + i * 130;
    parts.push(`<path d="M${x} 38h22" ${stroke(line)}/>`, text(x + 28, 42, line.name));
  });
  panels.forEach((panel, i) => {
    const at = `${(i % COLUMNS) * PANEL.width} ${HEADER + Math.floor(i / COLUMNS) * PANEL.height}`;
    parts.push(`<g transform="translate(${at})">`, ...panelParts(panel), '</g>');
  });
  return `${[...parts, '</svg>'].join('\n')}\n`;
}

function panelParts({ title, lines }: Panel): readonly string[] {
  const points = lines.flatMap((line) => line.points).filter(({ y }) => y > 0);
  const parts = [text(PANEL.left, 18, title, 'font-weight="bold"')];
  if (points.length === 0) return [...parts, text(PANEL.left, 60, 'nothing measured')];
  const right = PANEL.width - PANEL.right;
  const bottom = PANEL.height - PANEL.bottom;
  const ticks = decades(points.map((point) => point.y));
  const x = scale(extremes(points.map((point) => point.x)), PANEL.left + 4, right);
  const y = scale(extremes(ticks), bottom, PANEL.top);
  for (const tick of ticks) {
    const at = y(tick).toFixed(1);
    parts.push(`<path d="M${PANEL.left} ${at}H${right}" stroke="#ddd"/>`);
    parts.push(text(PANEL.left - 6, Number(at) + 4, label(tick), 'text-anchor="end" fill="#555"'));
  }
  for (const tick of new Set(points.map((point) => point.x)))
    parts.push(text(x(tick), bottom + 16, label(tick), 'text-anchor="middle" fill="#555"'));
  for (const line of lines) {
    const shown = line.points.filter((point) => point.y > 0);
    const places = shown.map((point) => `${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`);
    parts.push(`<path d="M${places.join('L')}" ${stroke(line)}/>`);
    for (const place of places) {
      const [cx, cy] = place.split(' ');
      parts.push(`<circle cx="${cx}" cy="${cy}" r="2.5" fill="${colour(line)}"/>`);
    }
  }
  return parts;
}

/** From values to places, by their logarithms. */
function scale([low, high]: readonly [number, number], from: number, to: number): (value: number) => number {
  const span = Math.log10(high) - Math.log10(low) || 1;
  return (value) => from + ((Math.log10(value) - Math.log10(low)) / span) * (to - from);
}

function extremes(values: readonly number[]): readonly [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

/** 1, 10, 100 …: all that the values are between. */
function decades(values: readonly number[]): readonly number[] {
  const [low, high] = extremes(values);
  const first = Math.floor(Math.log10(low));
  const last = Math.max(first + 1, Math.ceil(Math.log10(high)));
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

function label(value: number): string {
  if (value >= 1_000) return `${Number((value / 1_000).toPrecision(2))}k`;
  return String(Number(value.toPrecision(2)));
}

function stroke(line: Line): string {
  return `fill="none" stroke="${colour(line)}" stroke-width="1.8"${line.dashed ? ' stroke-dasharray="5 4"' : ''}`;
}

function colour(line: Line): string {
  return COLOURS[line.colour % COLOURS.length] ?? '#000';
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped}</text>`;
}
