/**
 * What a step costs on a GPU at the least: bytes and multiply-adds of each kernel of native/cuda/kernels, as functions of
 * the sizes, and the time that no GPU can beat with them. test/cuda-model.test.ts holds the functions to what the emulator
 * counts. bench/cuda-model-page.ts makes a page of it.
 */
import type { Workload } from './workloads.ts';

/** Sizes of a step with one label a row, biases, and unmerged gradients. */
export type Sizes = Pick<Workload, 'batch' | 'dim' | 'numSampled'>;

/** What is multiplied: rows of float32 by multiply-adds or in tf32 (`precision: 'high'`), or rows of bfloat16 as they are (`'high'`). */
export type Products = 'float32' | 'tf32' | 'bfloat16';
export const products: readonly Products[] = ['float32', 'tf32', 'bfloat16'];

/** The work of one kernel. */
export interface Work {
  readonly kernel: string;
  /** Bytes of arrays that must come from memory or go to it, each address once. */
  readonly memory: number;
  /** The same of what one kernel leaves to the next: the L2 cache may hold it. */
  readonly between: number;
  /** Those of them that are written where others were read. */
  readonly inPlace?: number;
  /** Bytes that are asked of the L2 cache. */
  readonly cache: number;
  /** Multiply-adds of the matrix product, whole tiles. */
  readonly multiplyAdds: number;
}

// The tile of native/cuda/kernels/operand.cuh; 64 bytes of k.
const tile = { m: 128, n: 64 };
const blocks = (count: number, each: number): number => Math.ceil(count / each);
const whole = (count: number, each: number): number => blocks(count, each) * each;
const float = 4;
const double = 8;
const pointer = 8;

/** In how many parts a sum over `length` is cut (parts_of_sum of input_gradients.cu), for as many blocks. */
function partsOfSum(m: number, n: number, length: number, wanted: number): number {
  return Math.max(1, Math.min(blocks(wanted, blocks(m, tile.m) * blocks(n, tile.n)), blocks(length, 128)));
}

/** In how many parts the batch is cut where columns are summed (parts_of_batch of activations.cu). */
function partsOfBatch({ batch, numSampled }: Sizes): number {
  const parts = Math.min(32, blocks(1024, blocks(numSampled, tile.n)));
  return blocks(batch, whole(blocks(batch, parts), 64));
}

/** The kernels of a step with gradients, in the order in which they run. */
export function kernels(sizes: Sizes, multiplied: Products = 'float32'): Work[] {
  const { batch, dim, numSampled } = sizes;
  const element = multiplied === 'bfloat16' ? 2 : float;
  const depth = 64 / element;
  const pitch = whole(dim, 16 / element);
  const logits = batch * whole(numSampled, tile.n) * float;
  const inputs = batch * pitch * element;
  const classRows = numSampled * pitch * element;
  const rowTiles = blocks(batch, tile.m);
  const columnTiles = blocks(numSampled, tile.n);
  const dimTiles = blocks(dim, tile.n);
  // Where logits are, in half of their memory as bfloat16.
  const activations = (logits / float) * element;
  const parts = partsOfSum(batch, dim, numSampled, 384);
  const classParts = partsOfSum(numSampled, dim, batch, 128);
  const columnSums = partsOfBatch(sizes) * numSampled * double;
  const partials = batch * columnTiles * (float + double);
  const inputGradients = batch * dim * float;
  const classGradients = numSampled * dim * float;
  const rowState = batch * (float + double);
  const labelRows = batch * (2 * pitch * element + pointer);
  const once = (kernel: string, memory: number, between = 0, inPlace = 0): Work => ({
    kernel,
    memory,
    between,
    inPlace,
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
      multiplyAdds: rowTiles * tile.m * columnTiles * tile.n * whole(pitch, depth),
    },
    once('finish_rows', batch * (4 * double + 2 * float), partials),
    once('activations', rowState, logits + activations + columnSums, activations),
    {
      kernel: 'input_gradients',
      memory: classRows + numSampled * pointer,
      between: activations + parts * inputGradients,
      cache: dimTiles * activations + rowTiles * classRows + parts * inputGradients,
      multiplyAdds: rowTiles * tile.m * dimTiles * tile.n * whole(numSampled, depth),
    },
    {
      kernel: 'class_gradients',
      memory: inputs + (classParts > 1 ? 0 : classGradients),
      between: activations + (classParts > 1 ? classParts * classGradients : 0),
      cache: dimTiles * activations + blocks(numSampled, tile.m) * inputs + classParts * classGradients,
      multiplyAdds: whole(numSampled, tile.m) * dimTiles * tile.n * whole(batch, depth),
    },
    ...(classParts > 1 ? [once('finish_class_gradients', classGradients, classParts * classGradients)] : []),
    once('finish_input_gradients', inputGradients + batch * (dim * element + double + pointer), parts * inputGradients),
    once('label_gradients', batch * (dim * (float + element) + double)),
    once('merge_bias_gradients', (batch + numSampled) * float + batch * double, columnSums),
  ];
}

export interface Gpu {
  readonly name: string;
  /** What the driver calls it. */
  readonly description: string;
  /** GB/s of memory; of the L2 cache, roughly; and MB of that. */
  readonly memory: number;
  readonly cache: number;
  readonly cacheSize: number;
  /** TFLOP/s of float32 multiply-adds, and on tensor cores (dense, sums in float32). */
  readonly peak: Readonly<Record<Products, number>>;
}

/** NVIDIA's published peaks. Nothing reaches them: on an H100 a copy was seen at 3000 GB/s, and mma.sync reaches two thirds of its tensor peak. */
export const gpus: readonly Gpu[] = [
  gpu('H100 SXM', 'NVIDIA H100 80GB HBM3', [3350, 5500, 50], [67, 495, 989]),
  gpu('H200 SXM', 'NVIDIA H200', [4800, 5500, 50], [67, 495, 989]),
  gpu('A100 SXM 40 GB', 'NVIDIA A100-SXM4-40GB', [1555, 4500, 40], [19.5, 156, 312]),
  gpu('L4', 'NVIDIA L4', [300, 1600, 48], [30.3, 60, 121]),
  gpu('RTX 4090', 'NVIDIA GeForce RTX 4090', [1008, 5000, 72], [82.6, 82.6, 165]),
];

type Three = readonly [number, number, number];
function gpu(name: string, description: string, [memory, cache, cacheSize]: Three, [float32, tf32, bfloat16]: Three): Gpu {
  return { name, description, memory, cache, cacheSize, peak: { float32, tf32, bfloat16 } };
}

/** The GPU that the driver calls so, where its peaks are known. */
export const gpuCalled = (description: string): Gpu | undefined => gpus.find((one) => one.description === description);

/** Microseconds that a kernel takes at the least, and what says so. */
export function bound(work: Work, gpu: Gpu, multiplied: Products): { microseconds: number; by: string } {
  const moved = work.memory + (work.between - (work.inPlace ?? 0) > gpu.cacheSize * 1e6 ? work.between : 0);
  const bounds: [string, number][] = [
    ['memory', moved / gpu.memory / 1e3],
    ['L2', work.cache / gpu.cache / 1e3],
    ['multiply-adds', (2 * work.multiplyAdds) / gpu.peak[multiplied] / 1e6],
  ];
  const [by, microseconds] = bounds.reduce((a, b) => (b[1] > a[1] ? b : a));
  return { microseconds, by };
}

const sum = <T>(values: readonly T[], of: (value: T) => number): number => values.reduce((total, value) => total + of(value), 0);

/** Microseconds of a whole step at the least. */
export const boundOfStep = (sizes: Sizes, gpu: Gpu, multiplied: Products): number =>
  sum(kernels(sizes, multiplied), (work) => bound(work, gpu, multiplied).microseconds);

/**
 * Bytes that are asked of the L2 cache for the logits between the loss and the gradients. Kept, they are written once, read
 * and written again as activations, and read for each tile of dims by two kernels; formed again, each of the two reads once
 * more the tiles of inputs and class rows that make them.
 */
export function bytesForLogits(sizes: Sizes): { kept: number; formedAgain: number } {
  const { batch, dim, numSampled } = sizes;
  const stored = batch * whole(numSampled, tile.n) * float;
  const tiles = blocks(numSampled, tile.n) * batch * whole(dim, 4) * float + blocks(batch, tile.m) * numSampled * whole(dim, 4) * float;
  return { kept: stored * (3 + 2 * blocks(dim, tile.n)), formedAgain: 2 * tiles };
}
