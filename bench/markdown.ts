/** What the pages of the bench share. */

/** Stands for a figure that there is not. */
export const none = '–';

/** Three significant digits, but no fewer than the whole number has. */
export const milliseconds = (ms: number): string => (ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3));

/** A quotient. */
export const times = (ratio: number): string => `${ratio.toFixed(ratio >= 100 ? 0 : 2)} ×`;

/** A paragraph where the workloads are not those of the other pages. */
export const scaleNote = (scale: number): string[] =>
  scale === 1 ? [] : [`Batch, sample and classes are ${scale} times those of the workload.`];

/** Rows of cells, the titles first, as a Markdown table that reads in a terminal too. All columns but the first `left` are numbers. */
export function alignedTable(cells: readonly (readonly string[])[], left = 1): string {
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  const padded = cells.map((texts) => line(texts.map((text, i) => (i < left ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))));
  const rule = line(widths.map((width, i) => (i < left ? '-'.repeat(width) : '-'.repeat(width - 1) + ':')));
  return [padded[0], rule, ...padded.slice(1)].join('\n');
}
