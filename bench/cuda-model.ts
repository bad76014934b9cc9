/**
 * What a step costs on a GPU at the least: bytes and multiply-adds of each kernel of native/cuda/kernels, as functions of
 * the sizes, and the time that no GPU can beat with them. test/cuda-model.test.ts holds the functions to what the emulator
 * counts. `npm run bench:cuda-model` writes bench/cuda-model.md.
 */
import { pathToFileURL } from 'node:url';
import { writeFileSync } from 'node:fs';
import { workloads, type Workload } from './workloads.ts';

/** Sizes of a float32 step with one label a row, biases, and unmerged gradients. */
export type Sizes = Pick<Workload, 'batch' | 'dim' | 'numSampled'>;

/** The work of one kernel. */
export interface Work {
  readonly kernel: string;
  /** Bytes of arrays that must come from memory or go to it, each address once. */
  readonly memory: number;
  /** The same of what one kernel leaves to the next: the L2 cache may hold it. */
  readonly between: number;
  /** Bytes that are asked of the L2 cache. */
  readonly cache: number;
  /** Multiply-adds of the matrix product, whole tiles. */
  readonly multiplyAdds: number;
}

// The tile of native/cuda/kernels/operand.cuh.
const tile = { m: 128, n: 64, k: 16 };
const blocks = (count: number, each: number): number => Math.ceil(count / each);
const whole = (count: number, each: number): number => blocks(count, each) * each;
const float = 4;
const double = 8;
const pointer = 8;

/** In how many parts the sum of the input gradients is cut (parts_of_sum of input_gradients.cu). */
function partsOfSum({ batch, dim, numSampled }: Sizes): number {
  const tiles = blocks(batch, tile.m) * blocks(dim, tile.n);
  return Math.max(1, Math.min(blocks(256, tiles), blocks(numSampled, 256)));
}

/** The kernels of a step with gradients, in the order in which they run. */
export function kernels(sizes: Sizes): Work[] {
  const { batch, dim, numSampled } = sizes;
  const pitch = whole(dim, 4);
  const logits = batch * whole(numSampled, tile.n) * float;
  const inputs = batch * pitch * float;
  const classRows = numSampled * pitch * float;
  const rowTiles = blocks(batch, tile.m);
  const columnTiles = blocks(numSampled, tile.n);
  const dimTiles = blocks(dim, tile.n);
  const parts = partsOfSum(sizes);
  const partials = batch * columnTiles * (float + double);
  const inputGradients = batch * dim * float;
  const rowState = batch * (float + double);
  const labelRows = batch * (2 * pitch * float + pointer);
  const once = (kernel: string, memory: number, between = 0): Work => ({
    kernel,
    memory,
    between,
    cache: memory + between,
    multiplyAdds: 0,
  });
  return [
    once('true_logits', labelRows + batch * 3 * double),
    once('column_offsets', numSampled * (2 * double + float)),
    {
      kernel: 'logits',
      memory: inputs + classRows + numSampled * (2 * pointer + float) + batch * double,
      between: logits + partials,
      cache: columnTiles * inputs + rowTiles * classRows + logits + 3 * partials,
      multiplyAdds: rowTiles * tile.m * columnTiles * tile.n * whole(pitch, tile.k),
    },
    once('finish_rows', batch * (4 * double + 2 * float), partials),
    {
      kernel: 'input_gradients',
      memory: classRows + batch * float,
      between: logits + parts * inputGradients,
      cache: dimTiles * logits + rowTiles * classRows + parts * inputGradients,
      multiplyAdds: rowTiles * tile.m * dimTiles * tile.n * whole(numSampled, tile.k),
    },
    {
      kernel: 'class_gradients',
      memory: inputs + rowState + numSampled * dim * float,
      between: logits,
      cache: dimTiles * logits + blocks(numSampled, tile.m) * inputs + numSampled * dim * float,
      multiplyAdds: whole(numSampled, tile.m) * dimTiles * tile.n * whole(batch, tile.k),
    },
    once('column_sums', rowState + numSampled * double, logits),
    once('finish_input_gradients', 2 * inputGradients + batch * (2 * double + pointer), parts * inputGradients),
    once('label_gradients', 2 * batch * dim * float + batch * double),
    once('merge_bias_gradients', (batch + numSampled) * (double + float)),
  ];
}

export interface Gpu {
  readonly name: string;
  /** GB/s of memory; of the L2 cache, roughly; and MB of that. */
  readonly memory: number;
  readonly cache: number;
  readonly cacheSize: number;
  /** TFLOP/s of float32 multiply-adds, and of tf32 on tensor cores (dense). */
  readonly float32: number;
  readonly tf32: number;
}

/** NVIDIA's published peaks. Nothing reaches them: on an H100 a copy was seen at 3000 GB/s, and mma.sync reaches two thirds of its tensor peak. */
export const gpus: readonly Gpu[] = [
  { name: 'H100 SXM', memory: 3350, cache: 5500, cacheSize: 50, float32: 67, tf32: 495 },
  { name: 'A100 SXM 40 GB', memory: 1555, cache: 4500, cacheSize: 40, float32: 19.5, tf32: 156 },
  { name: 'L4', memory: 300, cache: 1600, cacheSize: 48, float32: 30.3, tf32: 60 },
  { name: 'RTX 4090', memory: 1008, cache: 5000, cacheSize: 72, float32: 82.6, tf32: 82.6 },
];

/** Microseconds that a kernel takes at the least, and what says so. */
export function bound(work: Work, gpu: Gpu, precision: 'highest' | 'high'): { microseconds: number; by: string } {
  const flops = precision === 'high' ? gpu.tf32 : gpu.float32;
  const moved = work.memory + (work.between > gpu.cacheSize * 1e6 ? work.between : 0);
  const bounds: [string, number][] = [
    ['memory', moved / gpu.memory / 1e3],
    ['L2', work.cache / gpu.cache / 1e3],
    ['multiply-adds', (2 * work.multiplyAdds) / flops / 1e6],
  ];
  const [by, microseconds] = bounds.reduce((a, b) => (b[1] > a[1] ? b : a));
  return { microseconds, by };
}

const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** The page bench/cuda-model.md. */
export function page(): string {
  const lines = [
    '# What a step costs on a GPU at the least',
    '',
    'Written by `npm run bench:cuda-model`. **Bounds, not measurements**: no kernel has been timed on hardware yet. For each kernel the bytes',
    'that must cross the memory (what fits the L2 cache between two kernels need not), the bytes asked of the L2 cache and the multiply-adds',
    'of whole tiles are functions of the sizes (bench/cuda-model.ts), which a test holds to what the emulator counts at small sizes; the largest',
    "of the three over a GPU's published peak is the time that the kernel cannot beat. Launches (about 3 us each, ten of them, one after",
    'another) and what goes over PCIe come on top.',
    '',
    'Float32, log-uniform sample, one label a row, biases, unmerged gradients; `highest` by multiply-adds, `high` in tf32 on tensor cores.',
    '',
  ];
  lines.push(`| workload | GFLOP | MB touched | L2 MB | ${gpus.map((g) => `${g.name}: highest | high`).join(' | ')} |`);
  lines.push(`| --- | --- | --- | --- |${' --- |'.repeat(2 * gpus.length)}`);
  for (const workload of workloads) {
    const all = kernels(workload);
    const sum = (of: (work: Work) => number): number => all.reduce((total, work) => total + of(work), 0);
    const times = gpus.flatMap((gpu) =>
      (['highest', 'high'] as const).map((precision) => `${number(sum((work) => bound(work, gpu, precision).microseconds))} us`),
    );
    const sizes = [sum((w) => 2 * w.multiplyAdds) / 1e9, sum((w) => w.memory + w.between) / 1e6, sum((w) => w.cache) / 1e6].map(number);
    lines.push(`| ${workload.name} | ${[...sizes, ...times].join(' | ')} |`);
  }
  lines.push('', '## What bounds each kernel', '', 'wide-catalogue, `highest`.', '');
  lines.push(`| kernel | ${gpus.map((g) => g.name).join(' | ')} |`, `| --- |${' --- |'.repeat(gpus.length)}`);
  for (const work of kernels(workloads.find((w) => w.name === 'wide-catalogue') as Workload)) {
    const cells = gpus.map((gpu) => bound(work, gpu, 'highest')).map(({ microseconds, by }) => `${number(microseconds)} us, ${by}`);
    lines.push(`| ${work.kernel} | ${cells.join(' | ')} |`);
  }
  lines.push('', ...comparison());
  return `${lines.join('\n')}\n`;
}

/** The full softmax at the size of Cut Cross-Entropy's own table. */
function comparison(): string[] {
  const a100 = gpus[1] as Gpu;
  const products = (2 * 8192 * 256_000 * 2304) / 1e12;
  const milliseconds = (count: number, teraflops: number): string => number(((count * products) / teraflops) * 1e3);
  return [
    '## Beside published figures',
    '',
    'Cut Cross-Entropy (github.com/apple/ml-cross-entropy, README; A100 SXM4, bfloat16, Gemma 2: 8192 tokens, 256,000 classes, 2304 dims) takes 46.4 ms for',
    `the loss and 89.3 ms for its gradients. One product of that size is ${number(products)} TFLOP. Our \`softmaxLoss\` keeps no logits either: it forms them`,
    'once for the loss, and again for the gradients with two products more, so that tf32 on the same GPU cannot take less than',
    `${milliseconds(1, a100.tf32)} ms and ${milliseconds(3, a100.tf32)} ms (bfloat16 products, at twice the rate, would halve both; theirs skip gradients that are too small to matter).`,
    '',
    'FBGEMM publishes no time for a comparable step: its embedding kernels are lookups and updates, bound by memory alone.',
  ];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(new URL('cuda-model.md', import.meta.url), page());
}
