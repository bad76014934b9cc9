/** Results do not depend on the number of threads, nor on the form of the call: not by a bit. */
import { createHash, type Hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  EmbeddingTable,
  FixedUnigramSampler,
  info,
  LearnedUnigramSampler,
  LogUniformSampler,
  setThreads,
  softmaxLoss,
  softmaxLossSync,
  UniformSampler,
} from '../lib/index.ts';
import { SampledSoftmaxLoss } from '../lib/mindspore.ts';
import { split } from './arrays.ts';
import { sized } from './device.ts';
import { randomProblem, sampledLosses, sampledLossNames, type RandomProblem, type Sizes } from './problems.ts';

// Smaller than a vector, odd, more than one block of rows and of classes, and a tall and a wide one.
const allSizes: Sizes[] = [
  { batch: 1, dim: 1, numClasses: 3, numSampled: 2, numTrue: 1 },
  { batch: 13, dim: 17, numClasses: 101, numSampled: 29, numTrue: 3 },
  ...sized(
    [
      { batch: 150, dim: 70, numClasses: 3000, numSampled: 700, numTrue: 1 },
      { batch: 1100, dim: 24, numClasses: 900, numSampled: 65, numTrue: 2 },
      { batch: 3, dim: 130, numClasses: 9000, numSampled: 4100, numTrue: 1 },
    ],
    [
      { batch: 9, dim: 7, numClasses: 190, numSampled: 130, numTrue: 1 },
      { batch: 130, dim: 5, numClasses: 70, numSampled: 65, numTrue: 2 },
    ],
  ),
];
const middle = allSizes[2] as Sizes;
const modes = ['sparse', 'merged', 'dense'] as const;
const dtypes = ['float32', 'float64', 'bfloat16', 'float16'] as const;

type Problem = RandomProblem<Float64Array>;
type AnyOptions = Record<string, unknown>;

/** Weights, biases and inputs in a dtype: 16-bit ones as a table stores them. */
function withDtype(problem: Problem, { batch, dim, numClasses }: Sizes, dtype: (typeof dtypes)[number]): AnyOptions {
  const cast = (data: Float64Array, shape: number[]): unknown => {
    if (dtype === 'float64') return data;
    if (dtype === 'float32') return Float32Array.from(data);
    using table = EmbeddingTable.fromValuesSync({ data, shape }, { dtype });
    return { data: table.viewSync(0, shape[0] as number), shape, dtype };
  };
  return {
    ...problem,
    weights: cast(problem.weights, [numClasses, dim]),
    biases: cast(problem.biases, [numClasses]),
    inputs: cast(problem.inputs, [batch, dim]),
  };
}

interface Call {
  title: string;
  now: (options: never) => unknown;
  later: (options: never) => Promise<unknown>;
  options: () => AnyOptions;
}

function* calls(): Generator<Call> {
  for (const [i, size] of allSizes.entries()) {
    const problem = randomProblem(size, 100 * i + 1);
    for (const dtype of dtypes) {
      const typed = withDtype(problem, size, dtype);
      const precisions = dtype === 'bfloat16' || dtype === 'float16' ? ['highest', 'high'] : ['highest'];
      for (const precision of precisions) {
        const { sampledValues: _, ...full } = typed;
        const title = `${dtype} ${precision} ${JSON.stringify(size)}`;
        yield {
          title: `softmaxLoss ${title}`,
          now: softmaxLossSync,
          later: softmaxLoss,
          options: () => ({ ...full, precision, gradients: true }),
        };
        for (const [k, name] of sampledLossNames.entries()) {
          const mode = modes[(i + k) % 3];
          yield { title: `${name} ${title}`, ...sampledLosses[name], options: () => ({ ...typed, precision, gradients: { mode } }) };
        }
      }
    }
    const { weights, biases, sampledValues: _, ...rest } = problem;
    const parts = { weights: split(weights, 3, 'div', size.dim), biases: split(biases, 2, 'div', 1), partitionStrategy: 'div' };
    const sampler = () => new LogUniformSampler({ rangeMax: size.numClasses, numSampled: size.numSampled, seed: 5 });
    for (const mode of modes) {
      yield {
        title: `sharded ${mode} ${i}`,
        ...sampledLosses.sampledSoftmaxLoss,
        options: () => ({ ...rest, ...parts, sampler: sampler(), reduction: 'mean', gradients: { mode, upstream: 2 } }),
      };
    }
  }
}

/** More classes than are kept in memory at a time, of a full softmax and of a sampled loss. */
function* streamedCalls(): Generator<Call> {
  const { sampledValues: _, ...full } = randomProblem(
    { batch: 19, dim: sized(96, 10), numClasses: sized(90_000, 900), numSampled: 1, numTrue: 2 },
    7,
  );
  yield { title: 'streamed softmaxLoss', now: softmaxLossSync, later: softmaxLoss, options: () => ({ ...full, gradients: true }) };
  const sampled = randomProblem({ batch: 11, dim: 3, numClasses: 1200, numSampled: sized(800_000, 1700), numTrue: 1 }, 8);
  yield {
    title: 'streamed sampledSoftmaxLoss',
    ...sampledLosses.sampledSoftmaxLoss,
    options: () => ({ ...sampled, gradients: { mode: 'merged' } }),
  };
}

/** Feeds every number of a result into the hash, with the bits that it has. */
function absorb(hash: Hash, value: unknown): void {
  if (ArrayBuffer.isView(value)) hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  else if (typeof value === 'number') hash.update(new Uint8Array(Float64Array.of(value).buffer));
  else if (typeof value === 'object' && value !== null) for (const [key, part] of Object.entries(value)) absorb(hash.update(key), part);
}

const keptCalls = [...calls()];
const allCalls = [...keptCalls, ...streamedCalls()];

function hashOfEverything(): string {
  const hash = createHash('sha256');
  for (const { now, options } of allCalls) absorb(hash, now(options() as never));

  const [trueClasses, rangeMax] = [[1, 2, 3], 50_000];
  for (const sampler of [
    new UniformSampler({ rangeMax, numSampled: 9000, seed: 1 }),
    new LogUniformSampler({ rangeMax, numSampled: 9000, seed: 1 }),
    new LearnedUnigramSampler({ rangeMax, numSampled: 2000, seed: 1 }),
    new FixedUnigramSampler({
      rangeMax,
      numSampled: 2000,
      seed: 1,
      unigrams: Float32Array.from({ length: rangeMax }, (_, i) => 1 / (i + 1)),
    }),
  ]) {
    for (let draw = 0; draw < 3; draw++) absorb(hash, sampler.sample({ trueClasses }));
  }

  for (const dtype of dtypes) {
    using table = EmbeddingTable.createSync({ rows: 20_000, dim: 33, dtype, init: 'truncatedNormal', seed: 4 });
    const indices = Int32Array.from({ length: 50_000 }, (_, i) => (i * 7919) % 20_000);
    table.addSync({ indices, values: Float32Array.from({ length: 50_000 * 33 }, (_, i) => ((i % 1013) - 500) / 1000) }, -0.3);
    absorb(hash, table.viewSync(0, 20_000));
  }

  const { weights, biases, inputs, labels } = randomProblem(middle, 9);
  const mindspore = new SampledSoftmaxLoss({
    numSampled: middle.numSampled,
    numClasses: middle.numClasses,
    seed: 3,
    numerics: 'mindspore',
  });
  absorb(hash, mindspore.forwardSync({ weights, biases, inputs, labels, gradients: { mode: 'merged' } }));
  return hash.digest('hex');
}

describe('one hash of all outputs', () => {
  const threads = info().cpu.threads;
  afterAll(() => setThreads(threads));

  let alone: string;
  beforeAll(() => {
    setThreads(1);
    alone = hashOfEverything();
  });

  it.each(sized([2, 3, 8], [2]))('for 1 thread and %i threads', (count) => {
    setThreads(count);
    expect(hashOfEverything()).toBe(alone);
  });
  it('for one call after another and all at once', async () => {
    setThreads(3);
    const titles: string[] = [];
    const pending: Promise<unknown>[] = [];
    const want: unknown[] = [];
    for (const { title, now, later, options } of keptCalls) {
      titles.push(title);
      pending.push(later(options() as never));
      want.push(now(options() as never));
    }
    const got = await Promise.all(pending);
    const digest = (value: unknown): string => {
      const hash = createHash('sha256');
      absorb(hash, value);
      return hash.digest('hex');
    };
    got.forEach((result, i) => expect(digest(result), titles[i]).toBe(digest(want[i])));
  });
});
