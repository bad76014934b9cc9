/** The problems that the bench times, what can be said about them without running anything, and how a process is told of one. */
import { parseArgs } from 'node:util';

export interface Workload {
  readonly name: string;
  readonly batch: number;
  readonly dim: number;
  readonly numSampled: number;
  readonly numClasses: number;
  /** Where such a problem comes from. */
  readonly from: string;
}

const workload = (name: string, batch: number, dim: number, numSampled: number, numClasses: number, from: string): Workload => ({
  name,
  batch,
  dim,
  numSampled,
  numClasses,
  from,
});

export const workloads: readonly Workload[] = [
  workload('language-model', 1024, 512, 8192, 793_470, 'output layer of a language model for the One Billion Word corpus'),
  workload('wide-catalogue', 1024, 128, 8192, 1_000_000, 'recommender with a large catalogue and many negatives'),
  workload('youtube', 1024, 64, 1024, 1_000_000, 'candidate generation over a million videos'),
  workload('tall-batch', 4096, 64, 512, 1_000_000, 'session model: many positions, few negatives'),
  workload('extreme', 128, 128, 67_009, 670_091, 'Amazon-670K, a tenth of the classes sampled'),
  workload('word2vec', 128, 128, 64, 50_000, 'small step: overhead decides'),
  workload('odd', 777, 50, 1001, 123_457, 'no size divides anything'),
];

/** The same with so many times the batch, the sample and the classes, at least one of each; rows keep their length. */
export function scaled(w: Workload, scale: number): Workload {
  const times = (size: number): number => Math.max(1, Math.round(size * scale));
  return { ...w, batch: times(w.batch), numSampled: times(w.numSampled), numClasses: times(w.numClasses) };
}

/** Floating-point operations of a step: the three products (logits, both gradients) over the sample. */
export const flops = (w: Workload): number => 6 * w.batch * w.dim * w.numSampled;

/** Bytes that a float32 step cannot avoid moving: each row and bias in use and each input read once, each output written once. */
export function leastBytes(w: Workload): number {
  const classRows = w.batch + w.numSampled;
  const read = classRows * (w.dim + 1) + w.batch * w.dim + w.batch;
  const written = outputBytes(w) / 4;
  return 4 * (read + written);
}

/** Bytes of a float32 step's results: gradients with their indices, and the sample with its expected counts. */
export function outputBytes(w: Workload): number {
  const classRows = w.batch + w.numSampled;
  const gradients = w.batch * w.dim + classRows * (w.dim + 1) + classRows;
  return 4 * (gradients + w.batch + (2 * w.numSampled + w.batch));
}

/** Extra memory that a float32 call is meant to stay under: twice the sampled rows, and 64 MiB. */
export const extraBytesLimit = (w: Workload): number => 2 * w.numSampled * w.dim * 4 + 64 * 2 ** 20;

/** Flags that tell a measuring process what to measure; {@link readWorkload} and peers.py read them. */
export function workloadFlags(w: Workload, threads: number): string[] {
  const sizes = { batch: w.batch, dim: w.dim, sampled: w.numSampled, classes: w.numClasses, threads };
  return Object.entries(sizes).flatMap(([flag, size]) => [`--${flag}`, String(size)]);
}

/** In a measuring process: the workload of its command line, and its other flags, all of which take a text. */
export function readWorkload<Flag extends string>(...others: Flag[]): { workload: Workload; threads: number; flags: Record<Flag, string> } {
  const names = ['batch', 'dim', 'sampled', 'classes', 'threads', ...others];
  const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' } as const])) });
  const text = (name: string): string => {
    const value = values[name];
    if (typeof value !== 'string') throw new Error(`--${name} is missing`);
    return value;
  };
  const size = (name: string): number => Number(text(name));
  return {
    workload: workload('', size('batch'), size('dim'), size('sampled'), size('classes'), ''),
    threads: size('threads'),
    flags: Object.fromEntries(others.map((name) => [name, text(name)])) as Record<Flag, string>,
  };
}
