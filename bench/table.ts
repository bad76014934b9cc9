/** Results as Markdown, aligned so that it reads in a terminal too. */
import type { Outcome } from './interleave.ts';
import { alignedTable, milliseconds, none, scaleNote } from './markdown.ts';
import type { Machine, Results, WorkloadResult } from './results.ts';
import { extraBytesLimit, flops } from './workloads.ts';

export function markdown(results: Results): string {
  const { machine, workloads, promiseExtraMicroseconds } = results;
  const parts = [
    describe(machine),
    ...scaleNote(results.scale),
    'This package. A step is the mean loss and the unmerged sparse gradients, sampling included.',
    table(ownColumns, workloads, machine),
    `The Promise form takes ${Math.round(promiseExtraMicroseconds)} µs more than the Sync form.`,
  ];
  const peers = [...new Set(workloads.flatMap((w) => [...Object.keys(w.peers), ...Object.keys(w.drawPeers)]))];
  if (peers.length > 0) {
    parts.push(
      'How many times as long the others take, measured in turn with this package, and their milliseconds.',
      table([ownColumns[0]!, ...peers.map(peerColumn), bestColumn], workloads, machine),
    );
  }
  return [...parts, ...failures(workloads)].join('\n\n') + '\n';
}

interface Column {
  readonly title: string;
  readonly cell: (result: WorkloadResult, machine: Machine) => string;
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const gflops = (r: WorkloadResult): number => flops(r.workload) / r.ms / 1e6;

const ownColumns: readonly Column[] = [
  { title: 'workload', cell: ({ workload }) => workload.name },
  { title: 'ms', cell: (r) => milliseconds(r.ms) },
  { title: 'GFLOP/s', cell: (r) => gflops(r).toFixed(0) },
  {
    title: 'of peak (in turn)',
    cell: ({ ofPeak }) => (ofPeak && 'ratio' in ofPeak ? `${percent(ofPeak.ratioOfBest)} (${percent(ofPeak.ratio)})` : none),
  },
  { title: 'least bytes', cell: (r) => mebibytes(r.bytes) },
  {
    title: 'extra memory (limit)',
    cell: (r) => (r.extraBytes === undefined ? none : `${mebibytes(r.extraBytes)} (${mebibytes(extraBytesLimit(r.workload))})`),
  },
  { title: 'draw ms', cell: (r) => milliseconds(r.drawMs) },
  { title: 'loss only ms', cell: (r) => formTime(r.forms.forward) },
  { title: 'merged ms', cell: (r) => formTime(r.forms.merged) },
  { title: 'bfloat16 ×', cell: ({ forms: { bfloat16 } }) => ('ratio' in bfloat16 ? `${(1 / bfloat16.ratio).toFixed(2)} ×` : 'failed') },
];

const peerColumn = (name: string): Column => ({
  title: name,
  cell: (r) => {
    const outcome = r.peers[name] ?? r.drawPeers[name];
    if (outcome === undefined) return none;
    return 'ratio' in outcome ? `${outcome.ratio.toFixed(2)} × (${milliseconds(outcome.ms)})` : 'failed';
  },
});

/** The smallest ratio: how much faster than whoever is fastest. */
const bestColumn: Column = {
  title: 'best of them',
  cell: (r) => {
    const ratios = Object.values(r.peers).flatMap((outcome) => ('ratio' in outcome ? [outcome.ratio] : []));
    return ratios.length === 0 ? none : `${Math.min(...ratios).toFixed(2)} ×`;
  },
};

function describe(m: Machine): string {
  const peak =
    m.peakGflops === undefined ? 'peak unknown (no C++ compiler)' : `measured float32 FMA peak ${m.peakGflops.toFixed(0)} GFLOP/s`;
  return [
    `Machine: ${m.cpu}, ${m.cores} cores, ${m.threads} threads used, instruction set ${m.instructionSet}, ${peak}.`,
    `Node ${m.node}, sampled-softmax ${m.package} built with ${m.compiler}.`,
  ].join('\n');
}

function failures(workloads: readonly WorkloadResult[]): string[] {
  const lines = workloads.flatMap(({ workload, forms, peers, drawPeers }) =>
    Object.entries({ ...forms, ...peers, ...drawPeers }).flatMap(([name, outcome]: [string, Outcome]) =>
      'failure' in outcome ? [`- ${name} on ${workload.name}: ${outcome.failure}`] : [],
    ),
  );
  return lines.length === 0 ? [] : [lines.join('\n')];
}

const formTime = (outcome: Outcome): string => ('ms' in outcome ? milliseconds(outcome.ms) : 'failed');

function mebibytes(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return `${mib < 10 ? mib.toFixed(1) : mib.toFixed(0)} MiB`;
}

const table = (columns: readonly Column[], rows: readonly WorkloadResult[], machine: Machine): string =>
  alignedTable([columns.map((column) => column.title), ...rows.map((row) => columns.map((column) => column.cell(row, machine)))]);
