/** Random problems for the loss tests, and what they do with gradients. */
import fc from 'fast-check';
import {
  LogUniformSampler,
  nceLoss,
  nceLossSync,
  negativeSamplingLoss,
  negativeSamplingLossSync,
  sampledLogisticLoss,
  sampledLogisticLossSync,
  sampledSoftmaxLoss,
  sampledSoftmaxLossSync,
  type FloatArray,
  type RowGradients,
} from '../lib/index.ts';
import { generator, randomIds, randoms } from './arrays.ts';

export type SampledLossName = 'sampledSoftmaxLoss' | 'nceLoss' | 'sampledLogisticLoss' | 'negativeSamplingLoss';

interface SampledLoss {
  readonly later: typeof nceLoss;
  readonly now: typeof nceLossSync;
  /** Whether it has the option removeAccidentalHits. */
  readonly hitOption: boolean;
}

/** One type for all, so that a test can run through them. */
export const sampledLosses: Record<SampledLossName, SampledLoss> = {
  sampledSoftmaxLoss: { later: sampledSoftmaxLoss, now: sampledSoftmaxLossSync, hitOption: true },
  nceLoss: { later: nceLoss, now: nceLossSync, hitOption: true },
  sampledLogisticLoss: { later: sampledLogisticLoss, now: sampledLogisticLossSync, hitOption: false },
  negativeSamplingLoss: { later: negativeSamplingLoss, now: negativeSamplingLossSync, hitOption: true },
};

export const sampledLossNames = Object.keys(sampledLosses) as SampledLossName[];

export interface Sizes {
  readonly batch: number;
  readonly dim: number;
  readonly numClasses: number;
  readonly numSampled: number;
  readonly numTrue: number;
}

export interface RandomProblem<A extends FloatArray> {
  weights: A;
  biases: A;
  labels: Int32Array;
  inputs: A;
  numClasses: number;
  numTrue: number;
  sampledValues: { sampledCandidates: Int32Array; trueExpectedCount: Float64Array; sampledExpectedCount: Float64Array };
}

const counts = (length: number, seed: number): Float64Array => {
  const next = generator(seed);
  return Float64Array.from({ length }, () => 0.05 + next());
};

/** Labels and sampled ids repeat and meet as they please. */
export function randomProblem<A extends FloatArray = Float64Array>(
  { batch, dim, numClasses, numSampled, numTrue }: Sizes,
  seed: number,
  type: new (n: number) => A = Float64Array as unknown as new (n: number) => A,
): RandomProblem<A> {
  return {
    weights: randoms(numClasses * dim, seed + 1, 0.7, type),
    biases: randoms(numClasses, seed + 2, 0.5, type),
    labels: randomIds(batch * numTrue, numClasses, seed + 3),
    inputs: randoms(batch * dim, seed + 4, 1, type),
    numClasses,
    numTrue,
    sampledValues: {
      sampledCandidates: randomIds(numSampled, numClasses, seed + 5),
      trueExpectedCount: counts(batch * numTrue, seed + 6),
      sampledExpectedCount: counts(numSampled, seed + 7),
    },
  };
}

/** Adds the rows up, in their order. */
export function toDense({ indices, values, denseShape }: RowGradients): Float64Array {
  const [rows = 0, width = 1] = denseShape;
  const dense = new Float64Array(rows * width);
  for (let i = 0; i < indices.length; i++) {
    for (let k = 0; k < width; k++) dense[Number(indices[i]) * width + k]! += values[i * width + k] as number;
  }
  return dense;
}

/** The shards' row i of a class, as the strategy places it. */
export function placeOf(id: number, rows: number, shards: number, strategy: 'mod' | 'div'): [shard: number, row: number] {
  if (strategy === 'mod') return [id % shards, Math.floor(id / shards)];
  let first = 0;
  for (let shard = 0; ; shard++) {
    const size = Math.floor(rows / shards) + (shard < rows % shards ? 1 : 0);
    if (id < first + size) return [shard, id - first];
    first += size;
  }
}

export const logSumExp = (...logits: number[]): number => {
  const max = Math.max(...logits);
  return max + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - max), 0));
};

/** Small problems, and one of more than a block. */
export const sizes = fc.record({
  batch: fc.integer({ min: 1, max: 5 }),
  dim: fc.integer({ min: 1, max: 9 }),
  numClasses: fc.integer({ min: 2, max: 12 }),
  numSampled: fc.integer({ min: 1, max: 11 }),
  numTrue: fc.integer({ min: 1, max: 3 }),
});
export const larger: Sizes = { batch: 37, dim: 21, numClasses: 301, numSampled: 150, numTrue: 2 };
export const problemSeed = fc.integer({ min: 1, max: 1_000_000 });

/** A problem that takes no time, and a sampler for it. */
export const smallProblem = () => ({
  weights: randoms(500 * 8, 4),
  biases: randoms(500, 5),
  labels: randomIds(32, 500, 6),
  inputs: randoms(32 * 8, 7),
  numClasses: 500,
});
export const smallSampler = (seed = 1): LogUniformSampler => new LogUniformSampler({ rangeMax: 500, numSampled: 50, seed });

/** One whose arrays can be counted on the fingers, with its sample. */
export const tinyProblem = () => ({
  weights: randoms(7 * 3, 1),
  biases: randoms(7, 2),
  labels: [0, 2],
  inputs: randoms(2 * 3, 3),
  numClasses: 7,
  sampledValues: { sampledCandidates: [1, 4, 6], trueExpectedCount: [0.5, 0.5], sampledExpectedCount: [0.5, 0.5, 0.5] },
});
