/** What the losses accept and refuse: each wrong argument is named with its position and value, before anything is written. */
import { describe, expect, it } from 'vitest';
import {
  EmbeddingTable,
  LogUniformSampler,
  sampledSoftmaxLoss,
  sampledSoftmaxLossSync,
  softmaxLoss,
  softmaxLossSync,
  UniformSampler,
  type SampledSoftmaxLossSyncOptions,
} from '../lib/index.ts';
import { tinyProblem } from './problems.ts';

const good = tinyProblem();
const values = good.sampledValues;

const detached = new Float32Array(21);
structuredClone(detached.buffer, { transfer: [detached.buffer] });

const wrong: [Record<string, unknown>, typeof TypeError | typeof RangeError, string, string][] = [
  [{ num_classes: 7 }, TypeError, 'ERR_UNKNOWN_OPTION', "sampledSoftmaxLoss: unknown option 'num_classes'; did you mean 'numClasses'?"],
  [{ numclasses: 7 }, TypeError, 'ERR_UNKNOWN_OPTION', "did you mean 'numClasses'?"],
  [{ weights: undefined }, TypeError, 'ERR_INVALID_ARG_TYPE', 'weights: expected a Float32Array or Float64Array, got undefined'],
  [
    { weights: [1, 2, 3] },
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    'weights: expected a typed array or an array of shards, got an array of numbers',
  ],
  [
    { weights: new Uint16Array(21) },
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    "weights: expected a Float32Array or Float64Array, got Uint16Array(21) (16-bit values: { data, shape, dtype: 'float16' | 'bfloat16' })",
  ],
  [
    { weights: { data: new Uint16Array(21), shape: [7, 3] } },
    RangeError,
    'ERR_INVALID_ARG_VALUE',
    "weights.dtype: a Uint16Array holds 'float16' or 'bfloat16', got undefined",
  ],
  [
    { weights: { data: new Float32Array(21), shape: [7, 4] } },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'weights: shape [7, 4] needs 28 elements, data has 21',
  ],
  [
    { weights: { data: new Float32Array(24), shape: [8, 3] } },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'numClasses: the option numClasses says 7, but weights says 8',
  ],
  [
    { weights: new Float32Array(20) },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'weights: expected [7, 3] (7 from the option numClasses, 3 from inputs), got 20 elements',
  ],
  [{ weights: [] }, RangeError, 'ERR_INVALID_ARG_VALUE', 'weights: expected at least one shard, got an empty array'],
  [
    { weights: [new Float32Array(9), new Float32Array(9)] },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'weights[0]: expected [4, 3] (7 rows over 2 shards, 7 from the option numClasses, 3 from inputs), got 9 elements',
  ],
  [{ weights: detached }, TypeError, 'ERR_DETACHED_BUFFER', 'weights: its buffer has been detached'],
  [{ biases: new Float32Array(6) }, RangeError, 'ERR_SHAPE_MISMATCH', 'numClasses: the option numClasses says 7, but biases says 6'],
  [{ labels: [0, 7] }, RangeError, 'ERR_OUT_OF_RANGE', 'labels[1]: class 7 is out of range [0, 7)'],
  [{ labels: [-1, 0] }, RangeError, 'ERR_OUT_OF_RANGE', 'labels[0]: class -1 is out of range [0, 7)'],
  [{ labels: BigInt64Array.of(0n, 2n ** 40n) }, RangeError, 'ERR_OUT_OF_RANGE', 'labels[1]: class 1099511627776 is out of range [0, 7)'],
  [{ labels: [0, 1, 2, 9], numTrue: 2 }, RangeError, 'ERR_OUT_OF_RANGE', 'labels[1, 1]: class 9 is out of range [0, 7)'],
  [{ labels: [0, 0.5] }, TypeError, 'ERR_INVALID_ARG_TYPE', 'labels[1]: expected an integer, got 0.5'],
  [
    { labels: Float32Array.of(0, 1) },
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    'labels: expected an Int32Array, a BigInt64Array or number[], got Float32Array(2)',
  ],
  [
    { labels: { data: [0, 1, 2, 3], shape: [2, 2] } },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'labels: expected shape [batch] or [batch, 1] (numTrue is 1), got [2, 2]',
  ],
  [
    { labels: { data: [0, 1], shape: [2] }, numTrue: 2 },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'labels: expected shape [batch, 2] (numTrue is 2), got [2]',
  ],
  [{ labels: [0, 1, 2], numTrue: 2 }, RangeError, 'ERR_SHAPE_MISMATCH', 'labels: 3 elements are not rows of numTrue = 2'],
  [{ inputs: new Float32Array(5) }, RangeError, 'ERR_SHAPE_MISMATCH', 'inputs: 5 elements are not 2 rows (labels have 2)'],
  [{ inputs: { data: new Float32Array(9), shape: [3, 3] } }, RangeError, 'ERR_SHAPE_MISMATCH', 'batch: labels says 2, but inputs says 3'],
  [{ inputs: { data: new Float32Array(6), shape: [6] } }, RangeError, 'ERR_SHAPE_MISMATCH', 'inputs: expected shape [rows, dim], got [6]'],
  [{ numTrue: 0 }, RangeError, 'ERR_OUT_OF_RANGE', 'numTrue: expected an integer in [1, 2147483647], got 0'],
  [{ numTrue: 1.5 }, TypeError, 'ERR_INVALID_ARG_TYPE', 'numTrue: expected an integer, got 1.5'],
  [{ numSampled: 4 }, RangeError, 'ERR_SHAPE_MISMATCH', 'numSampled: the option numSampled says 4, but sampledValues says 3'],
  [{ numSampled: '3' }, TypeError, 'ERR_INVALID_ARG_TYPE', "numSampled: expected an integer, got '3'"],
  [
    { sampledValues: { ...values, sampledCandidates: [1, 4, 7] } },
    RangeError,
    'ERR_OUT_OF_RANGE',
    'sampledValues.sampledCandidates[2]: class 7 is out of range [0, 7)',
  ],
  [
    { sampledValues: { ...values, trueExpectedCount: [0.5, 0.5, 0.5] } },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'sampledValues.trueExpectedCount: expected 2 elements, got 3',
  ],
  [
    { sampledValues: { ...values, sampledExpectedCount: [0.5] } },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'sampledValues.sampledExpectedCount: expected 3 elements, got 1',
  ],
  [{ sampledValues: [1, 2] }, TypeError, 'ERR_INVALID_ARG_TYPE', 'sampledValues: expected an options object, got an array of 2'],
  [{ sampledValues: undefined }, TypeError, 'ERR_INVALID_ARG_TYPE', 'sampledSoftmaxLoss: pass numSampled, a sampler or sampledValues'],
  [{ sampledValues: undefined, numSampled: 8 }, RangeError, 'ERR_DRAW_IMPOSSIBLE', '8'],
  [
    { sampledValues: undefined, numSampled: -1 },
    RangeError,
    'ERR_OUT_OF_RANGE',
    'numSampled: expected an integer in [0, 268435456], got -1',
  ],
  [
    { sampledValues: undefined, numSampled: 2 ** 28 + 1 },
    RangeError,
    'ERR_OUT_OF_RANGE',
    'numSampled: expected an integer in [0, 268435456]',
  ],
  [{ sampler: {} }, TypeError, 'ERR_INVALID_ARG_TYPE', 'sampler: expected a sampler, got an object'],
  [
    { sampler: new UniformSampler({ rangeMax: 7, numSampled: 3 }) },
    RangeError,
    'ERR_INVALID_ARG_VALUE',
    'sampledValues: a sampler was given too; pass one of the two',
  ],
  [
    { sampledValues: undefined, sampler: new UniformSampler({ rangeMax: 8, numSampled: 3 }) },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    "numClasses: the option numClasses says 7, but the sampler's rangeMax says 8",
  ],
  [{ removeAccidentalHits: 1 }, TypeError, 'ERR_INVALID_ARG_TYPE', 'removeAccidentalHits: expected true or false, got 1'],
  [{ partitionStrategy: 'foo' }, RangeError, 'ERR_INVALID_ARG_VALUE', "partitionStrategy: expected one of 'mod', 'div', got 'foo'"],
  [{ reduction: 'max' }, RangeError, 'ERR_INVALID_ARG_VALUE', "reduction: expected one of 'none', 'mean', 'sum', got 'max'"],
  [{ precision: 'low' }, RangeError, 'ERR_INVALID_ARG_VALUE', "precision: expected one of 'highest', 'high', got 'low'"],
  [{ compat: 'torch' }, RangeError, 'ERR_INVALID_ARG_VALUE', "compat: expected one of 'tensorflow', got 'torch'"],
  [{ device: 1 }, TypeError, 'ERR_INVALID_ARG_TYPE', "device: expected 'auto', 'cpu', 'cuda' or 'cuda:<index>', got 1"],
  [{ device: 'cuda:01' }, RangeError, 'ERR_INVALID_ARG_VALUE', "device: expected 'auto', 'cpu', 'cuda' or 'cuda:<index>', got 'cuda:01'"],
  [{ device: 'gpu' }, RangeError, 'ERR_INVALID_ARG_VALUE', "device: expected 'auto', 'cpu', 'cuda' or 'cuda:<index>', got 'gpu'"],
  [{ gradients: 'yes' }, TypeError, 'ERR_INVALID_ARG_TYPE', "gradients: expected an options object, got 'yes'"],
  [
    { gradients: { mode: 'sparce' } },
    RangeError,
    'ERR_INVALID_ARG_VALUE',
    "gradients.mode: expected one of 'sparse', 'merged', 'dense', got 'sparce'",
  ],
  [{ gradients: { upstream: [1] } }, RangeError, 'ERR_SHAPE_MISMATCH', 'gradients.upstream: expected 2 elements, got 1'],
  [
    { gradients: { upstream: [1, 2] }, reduction: 'sum' },
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    'gradients.upstream: expected a number, got an array of 2',
  ],
  [
    { gradients: { out: { inputs: new Float32Array(5) } } },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'gradients.out.inputs: expected 6 elements, got 5',
  ],
  [
    { gradients: { out: { inputs: new Float64Array(6) } } },
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    'gradients.out.inputs: expected a Float32Array, got Float64Array(6)',
  ],
  [
    { gradients: { mode: 'merged', out: { weights: { indices: new Int32Array(9), values: new Float32Array(8) } } } },
    RangeError,
    'ERR_SHAPE_MISMATCH',
    'gradients.out.weights.values: expected at least',
  ],
  [{ gradients: { out: { inputs: good.inputs } } }, RangeError, 'ERR_OVERLAP', 'gradients.out.inputs: overlaps inputs'],
  [{ gradients: { mode: 'dense', out: { weights: good.weights } } }, RangeError, 'ERR_OVERLAP', 'gradients.out.weights: overlaps weights'],
];

describe('wrong arguments', () => {
  it.each(wrong)('%#: %o', async (change, type, code, message) => {
    const options = { ...good, ...change } as never;
    const weights = good.weights.slice();
    const failure = (await sampledSoftmaxLoss(options).then(
      () => expect.fail('accepted'),
      (error: unknown) => error,
    )) as Error & { code: string };
    expect(failure).toBeInstanceOf(type);
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(message);
    expect(() => sampledSoftmaxLossSync(options)).toThrow(message.replace('sampledSoftmaxLoss:', 'sampledSoftmaxLossSync:'));
    expect(good.weights).toEqual(weights);
  });
  it('options that are no object', async () => {
    for (const options of [undefined, null, 3, 'x', [], () => 1]) {
      await expect(sampledSoftmaxLoss(options as never)).rejects.toThrow(TypeError);
      expect(() => softmaxLossSync(options as never)).toThrow('softmaxLossSync: expected an options object');
    }
  });
  it('signal only in the Promise form', async () => {
    expect(() => sampledSoftmaxLossSync({ ...good, signal: new AbortController().signal } as never)).toThrow("unknown option 'signal'");
    await expect(sampledSoftmaxLoss({ ...good, signal: 1 as never })).rejects.toThrow('signal: expected an AbortSignal, got 1');
  });
  it('the mean of an empty batch', () => {
    const empty = { ...good, labels: [], inputs: new Float32Array(0), reduction: 'mean' } as const;
    const none = { ...values, trueExpectedCount: [] };
    expect(() => sampledSoftmaxLossSync({ ...empty, sampledValues: none })).toThrow("reduction 'mean' of an empty batch has no value");
  });
});

describe('sizes of flat weights that do not fit: who says what', () => {
  const flat = { weights: new Float32Array(8), labels: [0], inputs: { data: new Float32Array(2), shape: [1, 2] } };
  it.each([
    [{ biases: new Float32Array(3) }, 'weights: expected [3, 2] (3 from biases, 2 from inputs), got 8 elements'],
    [{ numClasses: 5 }, 'weights: expected [5, 2] (5 from the option numClasses, 2 from inputs), got 8 elements'],
    [
      { sampler: new UniformSampler({ rangeMax: 5, numSampled: 2 }) },
      "weights: expected [5, 2] (5 from the sampler's rangeMax, 2 from inputs), got 8 elements",
    ],
    [{ inputs: new Float32Array(3) }, 'weights: 8 elements are not rows of 3 (3 from inputs)'],
    [{ labels: [], inputs: new Float32Array(0), biases: new Float32Array(3) }, 'weights: 8 elements are not 3 rows (3 from biases)'],
    [{ labels: [], inputs: new Float32Array(3), numClasses: 4 }, 'inputs: expected [0, 2] (0 from labels), got 3 elements'],
    [
      { numClasses: 4, biases: [new Float32Array(3), new Float32Array(1)] },
      'biases[0]: expected [2, 1] (4 rows over 2 shards, 4 from the option numClasses), got [3, 1]',
    ],
  ])('%o', (change, message) => {
    const sample = 'sampler' in change ? {} : { numSampled: 2 };
    expect(() => sampledSoftmaxLossSync({ ...flat, ...sample, ...change })).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE_MISMATCH', message }),
    );
  });
});

describe('what has been disposed is named', () => {
  const gone = EmbeddingTable.createSync({ rows: 4, dim: 3 });
  const goneBiases = EmbeddingTable.createSync({ rows: 7, dim: 1 });
  const goneSampler = new UniformSampler({ rangeMax: 7, numSampled: 3 });
  for (const each of [gone, goneBiases, goneSampler]) each.dispose();
  const { sampledValues: _, ...rest } = good;
  it.each([
    [{ weights: [gone, new Float32Array(9)] }, 'weights[0]: the table has been disposed'],
    [{ weights: [new Float32Array(12), gone] }, 'weights[1]: the table has been disposed'],
    [{ biases: goneBiases }, 'biases: the table has been disposed'],
    [{ inputs: gone }, 'inputs: the table has been disposed'],
    [{ sampler: goneSampler }, 'sampler: it has been disposed'],
  ])('%#', (change, message) => {
    expect(() => sampledSoftmaxLossSync({ ...rest, numSampled: 3, ...change })).toThrow(
      expect.objectContaining({ code: 'ERR_DISPOSED', message }),
    );
  });
  it('where a getter has disposed it', () => {
    const table = EmbeddingTable.createSync({ rows: 7, dim: 3 });
    const upstream = {
      data: Float32Array.of(1, 1),
      get shape(): number[] {
        table.dispose();
        return [2];
      },
    };
    expect(() => sampledSoftmaxLossSync({ ...good, weights: table, gradients: { upstream } })).toThrow(
      'weights: the table has been disposed',
    );
  });
});

it('an output for biases that there are none of is refused', () => {
  const { biases: _, ...rest } = good;
  expect(() => sampledSoftmaxLossSync({ ...rest, gradients: { mode: 'dense', out: { biases: new Float32Array(2) } } })).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_ARG_VALUE',
      message: 'gradients.out.biases: got Float32Array(2), but biases were left out',
    }),
  );
  // What an earlier call gave.
  const { gradients } = sampledSoftmaxLossSync({ ...rest, gradients: true });
  expect(sampledSoftmaxLossSync({ ...rest, gradients: { out: gradients } }).gradients.inputs).toBe(gradients.inputs);
});

it('a full softmax, or dense gradients, of more classes than could ever be gone through are refused', async () => {
  const call = (classes: number) =>
    ({
      weights: { data: new Float32Array(0), shape: [classes, 0] },
      labels: [0],
      inputs: { data: new Float32Array(0), shape: [1, 0] },
    }) as const;
  const error = { code: 'ERR_OUT_OF_RANGE', message: 'numClasses: rows of dim 0 may be at most 4294967296, got 1099511627776' };
  expect(() => softmaxLossSync(call(2 ** 40))).toThrow(expect.objectContaining(error));
  await expect(softmaxLoss(call(2 ** 40))).rejects.toMatchObject(error);
  const sampled = { ...call(2 ** 40), numSampled: 2, seed: 1 };
  expect(() => sampledSoftmaxLossSync({ ...sampled, gradients: { mode: 'dense' } })).toThrow(expect.objectContaining(error));
  expect(sampledSoftmaxLossSync({ ...sampled, gradients: true }).loss).toHaveLength(1);
  expect(softmaxLossSync(call(2 ** 20)).loss[0]).toBeCloseTo(Math.log(2 ** 20), 4);
});

describe('sizes that follow from others', () => {
  const run = (change: Partial<SampledSoftmaxLossSyncOptions>): unknown => sampledSoftmaxLossSync({ ...good, ...change }).loss;
  const expected = run({});
  it('numClasses from a shape, biases, a flat length, a sampler', () => {
    const { numClasses: _, ...rest } = good;
    expect(sampledSoftmaxLossSync(rest).loss).toEqual(expected);
    expect(sampledSoftmaxLossSync({ ...rest, weights: { data: good.weights, shape: [7, 3] } }).loss).toEqual(expected);
    const { biases: __, ...noBiases } = rest;
    expect(sampledSoftmaxLossSync(noBiases).loss).toHaveLength(2);
    const sampler = new LogUniformSampler({ rangeMax: 7, numSampled: 3, seed: 1 });
    const { sampledValues: ___, ...noValues } = noBiases;
    expect(sampledSoftmaxLossSync({ ...noValues, sampler }).sampledValues.sampledCandidates).toHaveLength(3);
  });
  it('labels of every kind and rank', () => {
    for (const labels of [
      Int32Array.of(0, 2),
      BigInt64Array.of(0n, 2n),
      { data: [0, 2], shape: [2] },
      { data: Int32Array.of(0, 2), shape: [2, 1] },
    ]) {
      expect(run({ labels })).toEqual(expected);
    }
  });
  it('true counts of [batch] for several true classes', () => {
    const two = { ...good, labels: [0, 1, 2, 3], numTrue: 2 };
    const each = sampledSoftmaxLossSync({ ...two, sampledValues: { ...values, trueExpectedCount: [0.5, 0.5, 0.25, 0.25] } }).loss;
    expect(sampledSoftmaxLossSync({ ...two, sampledValues: { ...values, trueExpectedCount: [0.5, 0.25] } }).loss).toEqual(each);
  });
  it('the same draw on every call for a seed, and in the sample that comes back', () => {
    const { sampledValues: _, ...rest } = good;
    const first = sampledSoftmaxLossSync({ ...rest, numSampled: 3, seed: 7 });
    const again = sampledSoftmaxLossSync({ ...rest, numSampled: 3, seed: 7 });
    expect(again).toEqual(first);
    expect(sampledSoftmaxLossSync({ ...rest, sampledValues: first.sampledValues }).loss).toEqual(first.loss);
  });
});

describe('empty and tiny problems', () => {
  it('batch 0', async () => {
    const { loss, gradients } = await softmaxLoss({
      weights: good.weights,
      labels: [],
      inputs: new Float32Array(0),
      numClasses: 7,
      gradients: true,
    });
    expect(loss).toHaveLength(0);
    expect(gradients.weights).toEqual(new Float32Array(21));
    const sampled = sampledSoftmaxLossSync({
      ...good,
      labels: [],
      inputs: new Float32Array(0),
      sampledValues: { ...values, trueExpectedCount: [] },
      gradients: true,
    });
    expect(sampled.gradients.weights.indices).toEqual(Int32Array.of(1, 4, 6));
    expect(sampled.gradients.weights.values).toEqual(new Float32Array(9));
  });
  it('dim 0 leaves the biases', () => {
    const biases = Float32Array.of(1, 2, 3);
    const { loss } = softmaxLossSync({ weights: new Float32Array(0), biases, labels: [0, 2], inputs: new Float32Array(0), numClasses: 3 });
    const lse = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3));
    expect(loss[0]).toBeCloseTo(lse - 1, 5);
    expect(loss[1]).toBeCloseTo(lse - 3, 5);
  });
  it('one class', () => {
    const { loss, gradients } = softmaxLossSync({
      weights: Float32Array.of(2),
      labels: [0],
      inputs: Float32Array.of(3),
      numClasses: 1,
      gradients: true,
    });
    expect(loss[0]).toBe(0);
    expect(gradients.weights).toEqual(Float32Array.of(0));
  });
  it('no sampled classes: nothing is left but the true one', () => {
    const none = { sampledCandidates: [], trueExpectedCount: [1, 1], sampledExpectedCount: [] };
    const { loss } = sampledSoftmaxLossSync({ ...good, sampledValues: none, numSampled: 0 });
    expect(loss).toEqual(new Float32Array(2));
    const drawn = sampledSoftmaxLossSync({ ...good, sampledValues: undefined, numSampled: 0, gradients: true });
    expect(drawn.loss).toEqual(loss);
    expect(drawn.sampledValues.sampledCandidates).toHaveLength(0);
  });
});
