/** What must hold of one loss and another, or of two ways to say the same, for any problem: random ones, the same on every run. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AllCandidateSampler,
  nceLossSync,
  negativeSamplingLossSync,
  sampledLogisticLossSync,
  sampledSoftmaxLossSync,
  softmaxLossSync,
  UniformSampler,
  type FloatArray,
  type RowGradients,
} from '../lib/index.ts';
import { expectClose, split } from './arrays.ts';
import { sized } from './device.ts';
import { larger, placeOf, problemSeed, randomProblem, sampledLosses, sampledLossNames, sizes, toDense } from './problems.ts';

const modes = ['sparse', 'merged', 'dense'] as const;

const parameters = ['weights', 'biases', 'inputs'] as const;

describe('all classes as candidates', () => {
  it('are the full softmax, for distinct labels', () => {
    fc.assert(
      fc.property(sizes, problemSeed, fc.boolean(), (size, seed, biased) => {
        const numTrue = Math.min(size.numTrue, size.numClasses);
        const { sampledValues: _, biases, ...problem } = randomProblem({ ...size, numTrue }, seed);
        const labels = problem.labels.map((first, i) =>
          i % numTrue === 0 ? first : (problem.labels[i - (i % numTrue)]! + (i % numTrue)) % size.numClasses,
        );
        const options = { ...problem, ...(biased ? { biases } : {}), labels };
        const sampler = new AllCandidateSampler({ numSampled: size.numClasses });
        const sampled = sampledSoftmaxLossSync({ ...options, sampler, gradients: { mode: 'dense' } });
        const full = softmaxLossSync({ ...options, gradients: true });
        expectClose(sampled.loss, full.loss, 1e-12, 'loss');
        expectClose(sampled.gradients.inputs, full.gradients.inputs, 1e-12, 'inputs');
        expectClose(sampled.gradients.weights, full.gradients.weights, 1e-12, 'weights');
        expectClose(sampled.gradients.biases ?? [], full.gradients.biases ?? [], 1e-12, 'biases');
        expect(sampled.gradients.biases === undefined).toBe(!biased);
      }),
      { seed: 23, numRuns: sized(60, 20) },
    );
  });
  it('are the full softmax where its classes are too many to be kept', () => {
    const size = { batch: 19, dim: sized(96, 10), numClasses: sized(90_000, 900), numSampled: 1, numTrue: 1 };
    const { sampledValues: _, ...random } = randomProblem<FloatArray>(size, 31, Float32Array);
    const single = { ...random, inputs: Float32Array.from(random.inputs, (x) => x / 5) }; // float32 loses digits with large logits
    const problem = {
      ...single,
      weights: Float64Array.from(single.weights),
      biases: Float64Array.from(single.biases),
      inputs: Float64Array.from(single.inputs),
    };
    const sampler = new AllCandidateSampler({ numSampled: size.numClasses });
    const sampled = sampledSoftmaxLossSync({ ...problem, sampler, gradients: { mode: 'dense' } });
    const full = softmaxLossSync({ ...problem, gradients: true });
    expectClose(full.loss, sampled.loss, 1e-12, 'loss');
    for (const name of parameters) expectClose(full.gradients[name], sampled.gradients[name], 1e-12, name);
    const rough = softmaxLossSync({ ...single, gradients: true });
    expectClose(rough.loss, full.loss, 4e-6, 'float32 loss');
    for (const name of parameters) expectClose(rough.gradients[name], full.gradients[name], 4e-6, `float32 ${name}`);
  });
  it('are not for a label that repeats in its row: it counts twice', () => {
    const options = { weights: Float64Array.of(1, 2), labels: [0, 0], inputs: Float64Array.of(1), numTrue: 2, numClasses: 2 };
    const { loss } = sampledSoftmaxLossSync({ ...options, sampler: new AllCandidateSampler({ numSampled: 2 }) });
    expect(loss[0]).toBeCloseTo(Math.log(2 * Math.exp(1) + Math.exp(2)) - 1, 13);
    expect(softmaxLossSync(options).loss[0]).toBeCloseTo(Math.log(Math.exp(1) + Math.exp(2)) - 1, 13);
  });
});

describe.each(sampledLossNames)('%s', (name) => {
  const { now } = sampledLosses[name];
  const shardings = fc.record({
    strategy: fc.constantFrom('mod' as const, 'div' as const),
    weightShards: fc.integer({ min: 1, max: 6 }),
    biasShards: fc.integer({ min: 1, max: 6 }),
    mode: fc.constantFrom(...modes),
    float64: fc.boolean(),
  });

  it('gives the same bits for sharded parameters', () => {
    fc.assert(
      fc.property(
        fc.oneof(sizes, fc.constant(larger)),
        problemSeed,
        shardings,
        (size, seed, { strategy, weightShards, biasShards, mode, float64 }) => {
          const problem = randomProblem<FloatArray>(size, seed, float64 ? Float64Array : Float32Array);
          const { dim, numClasses } = size;
          const whole = now({ ...problem, gradients: { mode } });
          const parts = now({
            ...problem,
            weights: split(problem.weights, weightShards, strategy, dim),
            biases: split(problem.biases, biasShards, strategy, 1),
            partitionStrategy: strategy,
            gradients: { mode },
          });
          expect(parts.loss).toEqual(whole.loss);
          expect(parts.gradients.inputs).toEqual(whole.gradients.inputs);
          for (const [parameter, width, shards] of [
            ['weights', dim, weightShards],
            ['biases', 1, biasShards],
          ] as const) {
            const pieces = parts.gradients[parameter] as (FloatArray | RowGradients)[];
            expect(pieces).toHaveLength(shards);
            if (mode === 'dense') {
              expect(pieces).toEqual(split(whole.gradients[parameter] as unknown as FloatArray, shards, strategy, width));
              continue;
            }
            // A shard's rows come in the order of the whole: the next row of its shard is the one for each index.
            const { indices, values } = whole.gradients[parameter] as RowGradients;
            const used = new Array<number>(shards).fill(0);
            for (let i = 0; i < indices.length; i++) {
              const [shard, row] = placeOf(Number(indices[i]), numClasses, shards, strategy);
              const piece = pieces[shard] as RowGradients;
              const at = used[shard]!++;
              expect(piece.indices[at]).toBe(row);
              expect(piece.values.subarray(at * width, (at + 1) * width)).toEqual(values.subarray(i * width, (i + 1) * width));
            }
            expect(pieces.map((piece) => (piece as RowGradients).count)).toEqual(used);
          }
        },
      ),
      { seed: 24, numRuns: sized(40, 8) },
    );
  });

  it('has the same gradients sparse, merged and dense', () => {
    fc.assert(
      fc.property(fc.oneof(sizes, fc.constant(larger)), problemSeed, (size, seed) => {
        const problem = randomProblem(size, seed);
        const [sparse, merged, dense] = modes.map((mode) => now({ ...problem, gradients: { mode } }).gradients) as unknown as [
          Record<'weights' | 'biases', RowGradients>,
          Record<'weights' | 'biases', RowGradients>,
          Record<'weights' | 'biases', Float64Array>,
        ];
        const order = [...problem.labels, ...problem.sampledValues.sampledCandidates];
        const distinct = [...new Set(order)].sort((a, b) => a - b);
        for (const parameter of ['weights', 'biases'] as const) {
          expect(Array.from(sparse[parameter].indices, Number)).toEqual(order);
          expect(Array.from(merged[parameter].indices, Number)).toEqual(distinct);
          expect(merged[parameter].count).toBe(distinct.length);
          expectClose(toDense(merged[parameter]), dense[parameter], 1e-13, parameter);
          expectClose(toDense(sparse[parameter]), dense[parameter], 1e-13, parameter);
        }
      }),
      { seed: 25, numRuns: sized(30, 8) },
    );
  });

  it.each(['float16', 'bfloat16'] as const)('takes %s weights, biases and inputs as the numbers that they are', (dtype) => {
    fc.assert(
      fc.property(fc.oneof(sizes, fc.constant(larger)), problemSeed, (size, seed) => {
        const problem = randomProblem(size, seed);
        const weights = narrow(problem.weights, [size.numClasses, size.dim], dtype);
        const biases = narrow(problem.biases, [size.numClasses], dtype);
        const inputs = narrow(problem.inputs, [size.batch, size.dim], dtype);
        const gradients = { mode: 'dense' } as const;
        const exact = now({ ...problem, weights: weights.numbers, biases: biases.numbers, inputs: inputs.numbers, gradients });
        const got = now({ ...problem, weights: weights.values, biases: biases.values, inputs: inputs.values, gradients });
        const wide = now({ ...problem, weights: weights.values, biases: biases.values, inputs: inputs.numbers, gradients });
        expect(got.loss).toBeInstanceOf(Float32Array);
        expect(wide.loss).toBeInstanceOf(Float64Array);
        for (const [result, tolerance] of [
          [got, 4e-6],
          [wide, 1e-12],
        ] as const) {
          // Of the largest element or 1: a row without other classes has the loss 0.
          expectClose([...result.loss, 1], [...exact.loss, 1], tolerance, 'loss');
          for (const parameter of parameters)
            expectClose([...result.gradients[parameter], 1], [...exact.gradients[parameter], 1], tolerance, parameter);
        }
      }),
      { seed: 26, numRuns: sized(20, 8) },
    );
  });
});

/** Values cut to 16 bits (towards zero), and the float64 numbers that the bits stand for. */
function narrow(from: Float64Array, shape: number[], dtype: 'float16' | 'bfloat16') {
  const bits = new Uint32Array(Float32Array.from(from).buffer);
  const data = new Uint16Array(from.length);
  const numbers = new Float64Array(from.length);
  bits.forEach((word, i) => {
    const sign = word >>> 31;
    const exponent = ((word >>> 23) & 255) - 127;
    if (dtype === 'bfloat16') data[i] = word >>> 16;
    else data[i] = exponent < -14 ? sign << 15 : (sign << 15) | ((exponent + 15) << 10) | ((word >>> 13) & 1023);
    const mantissa = dtype === 'bfloat16' ? (data[i] & 127) / 128 : (data[i] & 1023) / 1024;
    numbers[i] = exponent < -14 && dtype === 'float16' ? (sign ? -0 : 0) : (sign ? -1 : 1) * (1 + mantissa) * 2 ** exponent;
    if (word << 1 === 0) numbers[i] = 0;
  });
  return { values: { data, shape, dtype }, numbers };
}

describe('a class sampled n times', () => {
  it.each([
    ['some', 3],
    ['more than can be kept', sized(800, 7)],
  ])('is a class of an n-th of the expected count: %s', (_, copies) => {
    const size = { batch: 11, dim: 3, numClasses: 1200, numSampled: 1000, numTrue: 2 };
    const problem = randomProblem(size, 41);
    const { sampledCandidates, trueExpectedCount, sampledExpectedCount } = problem.sampledValues;
    const repeated = {
      trueExpectedCount,
      sampledCandidates: Int32Array.from({ length: copies * 1000 }, (_, i) => sampledCandidates[i % 1000] as number),
      sampledExpectedCount: Float64Array.from({ length: copies * 1000 }, (_, i) => sampledExpectedCount[i % 1000] as number),
    };
    const rarer = { ...problem.sampledValues, sampledExpectedCount: sampledExpectedCount.map((q) => q / copies) };
    const [many, one] = [repeated, rarer].map((sampledValues) =>
      sampledSoftmaxLossSync({ ...problem, sampledValues, gradients: { mode: 'merged' } }),
    );
    expectClose(many!.loss, one!.loss, 1e-12, 'loss');
    expect(many!.gradients.weights.indices).toEqual(one!.gradients.weights.indices);
    expectClose(many!.gradients.weights.values, one!.gradients.weights.values, 1e-12, 'weights');
    expectClose(many!.gradients.biases.values, one!.gradients.biases.values, 1e-12, 'biases');
    expectClose(many!.gradients.inputs, one!.gradients.inputs, 1e-12, 'inputs');
    const logistic = nceLossSync({ ...problem, sampledValues: repeated, reduction: 'sum' }).loss;
    const [none, once] = [0, 1].map(
      (k) =>
        nceLossSync({
          ...problem,
          reduction: 'sum',
          sampledValues: k ? problem.sampledValues : { ...problem.sampledValues, sampledCandidates: [], sampledExpectedCount: [] },
        }).loss,
    ) as [number, number];
    expect(logistic / (none + copies * (once - none))).toBeCloseTo(1, 11);
  });
});

describe('how the logistic losses differ', () => {
  it('sampledLogisticLoss is nceLoss without hits; negativeSamplingLoss is nceLoss without log q', () => {
    fc.assert(
      fc.property(fc.oneof(sizes, fc.constant(larger)), problemSeed, (size, seed) => {
        const problem = { ...randomProblem(size, seed), gradients: true } as const;
        expect(sampledLogisticLossSync(problem)).toEqual(nceLossSync({ ...problem, removeAccidentalHits: true }));
        const { sampledCandidates } = problem.sampledValues;
        const ones = {
          sampledCandidates,
          trueExpectedCount: problem.sampledValues.trueExpectedCount.map(() => 1),
          sampledExpectedCount: problem.sampledValues.sampledExpectedCount.map(() => 1),
        };
        const negative = negativeSamplingLossSync(problem);
        const withOnes = nceLossSync({ ...problem, sampledValues: ones });
        expect(negative.loss).toEqual(withOnes.loss);
        expect(negative.gradients).toEqual(withOnes.gradients);
        expect(negativeSamplingLossSync({ ...problem, sampledValues: { sampledCandidates } as never }).loss).toEqual(negative.loss);
      }),
      { seed: 27, numRuns: sized(30, 8) },
    );
  });
  it('a kept hit is a negative like any other', () => {
    const problem = { weights: Float64Array.of(1), labels: [0], inputs: Float64Array.of(1), numClasses: 1 };
    const sampledValues = { sampledCandidates: [0], trueExpectedCount: [1], sampledExpectedCount: [1] };
    expect(nceLossSync({ ...problem, sampledValues }).loss[0]).toBeCloseTo(2 * Math.log1p(Math.E) - 1, 14);
    expect(sampledLogisticLossSync({ ...problem, sampledValues }).loss[0]).toBeCloseTo(Math.log1p(Math.E) - 1, 14);
  });
});

describe('the mean sampled gradient', () => {
  it('approaches the full one as more classes are sampled', () => {
    const size = { batch: 6, dim: 5, numClasses: 48, numSampled: 1, numTrue: 1 };
    const { sampledValues: _, ...problem } = randomProblem(size, 1234);
    const full = softmaxLossSync({ ...problem, gradients: true });
    const errors = [2, 6, 18, 48].map((numSampled) => {
      const sampler = new UniformSampler({ rangeMax: size.numClasses, numSampled, seed: 3 });
      const draws = sized(400, 60);
      const mean = new Float64Array(problem.weights.length);
      let loss = 0;
      for (let draw = 0; draw < draws; draw++) {
        const result = sampledSoftmaxLossSync({
          ...problem,
          sampler,
          reduction: 'mean',
          gradients: { mode: 'dense', upstream: size.batch },
        });
        result.gradients.weights.forEach((g: number, i: number) => {
          mean[i]! += g / draws;
        });
        loss += result.loss / draws;
      }
      const distance = Math.hypot(...mean.map((g, i) => g - (full.gradients.weights[i] as number)));
      return { gradient: distance / Math.hypot(...full.gradients.weights), loss: full.loss.reduce((a, b) => a + b) / size.batch - loss };
    });
    for (let i = 1; i < errors.length; i++) expect(errors[i]!.gradient).toBeLessThan(errors[i - 1]!.gradient * 0.8);
    for (let i = 1; i < errors.length; i++) expect(Math.abs(errors[i]!.loss)).toBeLessThan(errors[i - 1]!.loss);
    expect(errors[0]!.loss).toBeGreaterThan(0); // few samples underestimate the loss
    expect(errors.at(-1)!.gradient).toBeLessThan(1e-6); // all of them: q is float32, and the same for every class
  });
});
