/** Results on a GPU as Markdown: for each workload a table of the package, and one of how long the others take. */
import { products, type Products } from '../cuda-model.ts';
import { alignedTable, milliseconds, none, scaleNote, times } from '../markdown.ts';
import { flops, type Workload } from '../workloads.ts';
import { forms, ours, ratioOf, timeOf, type Asked, type CudaResults, type CudaWorkload, type Form } from './results.ts';
import { stepNames, type StepName } from './steps.ts';

const arithmeticTitles: Record<Products, string> = {
  float32: "float32 'highest'",
  tf32: "float32 'high'",
  bfloat16: "bfloat16 'high'",
};

const stepTitles: Record<StepName, string> = {
  sparse: 'sparse, to the host',
  merged: 'merged, on the device',
  training: 'training step',
};

const formTitles: Record<Form, string> = { sync: 'Sync', one: '1 in flight', two: '2 in flight' };

export function markdown(results: CudaResults): string {
  const { machine, peers, workloads } = results;
  const { device, node } = machine;
  const gigabytes = (device.memory / 2 ** 30).toFixed(0);
  const parts = [
    `GPU: ${device.description}, ${gigabytes} GiB, compute capability ${device.computeCapability}. Node ${node}, sampled-softmax ${machine.package}.`,
    machine.boundOf === undefined
      ? 'No bound: the peaks of this GPU are not in bench/cuda-model.ts.'
      : `The bound is that of bench/cuda-model.ts for ${machine.boundOf}.`,
    ...scaleNote(results.scale),
  ];
  if (peers.length > 0) {
    parts.push(['Peers:', ...peers.map((peer) => `- ${peer.name}: ${peer.system} on ${peer.device}`)].join('\n'));
  }
  for (const result of workloads) {
    parts.push(`## ${title(result.workload)}`, ownTable(result));
    if (peers.length > 0) {
      const names = peers.map((peer) => peer.name);
      parts.push('How many times as long the others take, and their milliseconds.', peerTable(result, names));
    }
    parts.push(...failures(result));
  }
  return parts.join('\n\n') + '\n';
}

const title = (w: Workload): string => `${w.name}: ${w.batch} x ${w.dim}, ${w.numSampled} of ${w.numClasses}`;

function ownTable(result: CudaWorkload): string {
  const titles = ['arithmetic', 'gradients', 'bound ms', ...forms.flatMap((form) => [`${formTitles[form]} ms`, 'TFLOP/s', '× bound'])];
  const rows = products.flatMap((arithmetic) =>
    stepNames.map((step) => {
      const least = result.leastMs?.[arithmetic];
      const cells = forms.flatMap((form) => ownCells(result, { by: ours, arithmetic, step, form }, least));
      return [arithmeticTitles[arithmetic], stepTitles[step], least === undefined ? none : milliseconds(least), ...cells];
    }),
  );
  return alignedTable([titles, ...rows], 2);
}

/** Milliseconds, TFLOP/s and the quotient to the bound. */
function ownCells(result: CudaWorkload, asked: Asked, least: number | undefined): string[] {
  const time = timeOf(result, asked);
  if (time === undefined) return [none, none, none];
  if ('failure' in time) return ['failed', none, none];
  const teraflops = flops(result.workload) / time.ms / 1e9;
  return [milliseconds(time.ms), teraflops.toPrecision(3), least === undefined ? none : times(time.ms / least)];
}

/** Steps that the peers take too, each awaited (ours: Sync) and queued (ours: 2 in flight). */
const compared: readonly (readonly [StepName, Form, string])[] = [
  ['merged', 'sync', 'step, awaited'],
  ['merged', 'two', 'step, queued'],
  ['training', 'sync', 'training, awaited'],
  ['training', 'two', 'training, queued'],
];

function peerTable(result: CudaWorkload, peers: readonly string[]): string {
  const rows = products.flatMap((arithmetic) =>
    compared.map(([step, form, name]) => {
      const asked = peers.map((by) => ({ by, arithmetic, step, form }));
      const ratios = asked.map((one) => ratioOf(result, one)).filter((ratio) => ratio !== undefined);
      const best = ratios.length === 0 ? none : times(Math.min(...ratios));
      return [arithmeticTitles[arithmetic], name, ...asked.map((one) => peerCell(result, one)), best];
    }),
  );
  return alignedTable([['arithmetic', 'step', ...peers, 'best of them'], ...rows], 2);
}

function peerCell(result: CudaWorkload, asked: Asked): string {
  const [time, ratio] = [timeOf(result, asked), ratioOf(result, asked)];
  if (time === undefined) return none;
  if ('failure' in time) return 'failed';
  return `${ratio === undefined ? none : times(ratio)} (${milliseconds(time.ms)})`;
}

/** Each failure once, with all that has failed so. */
function failures({ rounds }: CudaWorkload): string[] {
  const whose = new Map<string, Set<string>>();
  for (const { by, arithmetic, step, time } of rounds.flat()) {
    if (!('failure' in time)) continue;
    const line = `${by}, ${arithmeticTitles[arithmetic]}: ${time.failure}`;
    whose.set(line, (whose.get(line) ?? new Set()).add(stepTitles[step]));
  }
  const lines = Array.from(whose, ([line, steps]) => `- ${line} (${[...steps].join('; ')})`);
  return lines.length === 0 ? [] : [lines.join('\n')];
}
