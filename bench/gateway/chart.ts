import { rowsOf, type Row } from './figures.ts';
import type { BenchOperation } from './graph/operations.ts';
import type { Measured } from './measure.ts';

const WIDTH = 860;
const LABEL_WIDTH = 330;
const FIGURE_WIDTH = 80;
const LINE = 24;
const BAR = 14;
const HEAD = 36;
const GAP = 20;

const TITLES: Record<BenchOperation['name'], string> = {
  small: 'Small query (3 subgraphs): CPU microseconds per request',
  heavy: 'Heavy query (86 KB answer): CPU microseconds per request',
};

/* An image in a page follows the reader's colour scheme, not the page's, so it has colours for both. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .bar { fill: #8c959f } .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .bar { fill: #6e7681 } .ours { fill: #4493f8 }
  }`;

/** Bars for both operations as SVG; shorter is cheaper. */
export function drawChart(measured: readonly Measured[]): string {
  const rows = rowsOf(measured);
  const panelHeight = HEAD + rows.length * LINE + GAP;
  const panels = (['small', 'heavy'] as const).map((name, index) => panel(name, rows, index * panelHeight));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${2 * panelHeight}" role="img">
<title>What one request costs each gateway</title>
<style>${STYLE}
</style>
${panels.join('\n')}
</svg>
`;
}

function panel(name: BenchOperation['name'], rows: readonly Row[], top: number): string {
  const longest = Math.max(...rows.map((row) => row[name].cpuMicros));
  const widest = WIDTH - LABEL_WIDTH - FIGURE_WIDTH;
  const bars = [...rows].sort((a, b) => a[name].cpuMicros - b[name].cpuMicros).map((row, index) => bar(row, row[name].cpuMicros, index));
  return [`<g transform="translate(0 ${top})">`, `<text class="title" x="0" y="20">${TITLES[name]}</text>`, ...bars, '</g>'].join('\n');

  function bar({ name: target, label }: Row, micros: number, index: number): string {
    const y = HEAD + index * LINE;
    const width = Math.max(1, Math.round((micros / longest) * widest));
    const textY = y + BAR - 3;
    return [
      `<text x="${LABEL_WIDTH - 10}" y="${textY}" text-anchor="end">${escaped(label)}</text>`,
      `<rect class="${target.startsWith('soko') ? 'ours' : 'bar'}" x="${LABEL_WIDTH}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`,
      `<text x="${LABEL_WIDTH + width + 8}" y="${textY}">${Math.round(micros).toLocaleString('en')}</text>`,
    ].join('');
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
