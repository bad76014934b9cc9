/** NaN, infinities and very large logits: how far they reach, and that nothing else is touched. */
import { describe, expect, it } from 'vitest';
import { nceLossSync, sampledSoftmaxLossSync, softmaxLoss, softmaxLossSync, type FloatArray } from '../lib/index.ts';
import { expectClose } from './arrays.ts';
import { logSumExp, randomProblem, sampledLosses, sampledLossNames } from './problems.ts';

const arithmetic = [
  ['float32', Float32Array],
  ['float64', Float64Array],
] as const;
// Short rows, and rows of several vectors.
describe.each([3, 64])('values that are not finite in rows of %d dims', (dim) => {
  const problem = randomProblem<Float32Array>({ batch: 40, dim, numClasses: 90, numSampled: 50, numTrue: 1 }, 5, Float32Array);
  it.each([NaN, Infinity, -Infinity, 3.4e38])('%d in a row of inputs leaves the losses of the others what they are', (value) => {
    const inputs = problem.inputs.slice();
    inputs[37 * dim + dim - 1] = value;
    const { loss } = sampledSoftmaxLossSync({ ...problem, inputs });
    const clean = sampledSoftmaxLossSync(problem).loss.slice();
    if (!Number.isFinite(value)) expect(loss[37]).not.toSatisfy(Number.isFinite);
    expect(loss[37]).not.toBe(clean[37]);
    loss[37] = clean[37] = 0;
    expectClose(loss, clean, 4e-6);
  });
});

const size = { batch: 4, dim: 3, numClasses: 9, numSampled: 5, numTrue: 1 };

describe.each(arithmetic)('numbers that are none, %s', (_, type) => {
  // Sampled and true classes apart; more rows than a tile holds.
  const rows = 19;
  const problem = {
    ...randomProblem<FloatArray>({ ...size, batch: rows, numClasses: 40, numSampled: 6 }, 11, type),
    labels: Int32Array.from({ length: rows }, (_, i) => i),
  };
  problem.sampledValues.sampledCandidates.set([30, 31, 32, 33, 34, 35]);
  const nanAt = (values: ArrayLike<number>): number[] => Array.from(values).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
  const all = Array.from({ length: rows }, (_, i) => i);
  const bad = [NaN, Infinity, -Infinity];

  it.each(sampledLossNames.flatMap((name) => bad.map((value) => [name, value] as const)))(
    '%s: %d in one row of inputs stays in it',
    (name, value) => {
      for (const row of [0, 7, rows - 1]) {
        const inputs = problem.inputs.slice();
        inputs[row * 3 + 1] = value;
        const { loss, gradients } = sampledLosses[name].now({ ...problem, inputs, gradients: true });
        const others = [...Array.from(loss).keys()].filter((i) => i !== row);
        if (Number.isNaN(value) || name === 'sampledSoftmaxLoss') expect(nanAt(loss)).toEqual([row]);
        expect(loss[row]).not.toSatisfy(Number.isFinite);
        const clean = sampledLosses[name].now({ ...problem, gradients: true });
        for (const i of others) {
          expect(loss[i]).toBe(clean.loss[i]);
          expect(gradients.inputs.slice(3 * i, 3 * i + 3)).toEqual(clean.gradients.inputs.slice(3 * i, 3 * i + 3));
          expect(gradients.weights.values.slice(3 * i, 3 * i + 3)).toEqual(clean.gradients.weights.values.slice(3 * i, 3 * i + 3));
        }
        if (Number.isNaN(value)) {
          expect(nanAt(gradients.inputs)).toEqual([3 * row, 3 * row + 1, 3 * row + 2]);
          // The sampled rows are shared: each has a part of every row of the batch.
          expect(nanAt(gradients.biases.values)).toEqual([row, ...Array.from({ length: 6 }, (_, s) => rows + s)]);
        }
      }
    },
  );
  it.each(sampledLossNames)('%s: NaN in a sampled class reaches every row', (name) => {
    for (const parameter of ['weights', 'biases'] as const) {
      const values = problem[parameter].slice();
      values[parameter === 'weights' ? 33 * 3 + 2 : 33] = NaN;
      expect(nanAt(sampledLosses[name].now({ ...problem, [parameter]: values }).loss)).toEqual(all);
    }
  });
  it.each(sampledLossNames)('%s: NaN in a true class reaches its row, in another class none', (name) => {
    const biases = problem.biases.slice();
    [biases[5], biases[39]] = [NaN, NaN];
    expect(nanAt(sampledLosses[name].now({ ...problem, biases }).loss)).toEqual([5]);
  });
  it('NaN in a class that is a hit does not reach the rows that leave it out', () => {
    const biases = problem.biases.slice();
    biases[33] = Infinity;
    const labels = problem.labels.map(() => 33).with(3, 2);
    const { loss } = sampledSoftmaxLossSync({ ...problem, biases, labels });
    expect(nanAt(loss)).toEqual(all);
    const given = { ...problem.sampledValues, sampledExpectedCount: problem.sampledValues.sampledExpectedCount.with(3, 0) };
    const finite = sampledSoftmaxLossSync({ ...problem, labels, sampledValues: given, gradients: true });
    expect(nanAt(finite.loss)).toEqual([3]);
    expect(nanAt(finite.gradients.inputs)).toEqual([9, 10, 11]);
  });
  it('a logit of -Infinity is a class that cannot be: finite', () => {
    const biases = problem.biases.slice();
    biases[33] = -Infinity;
    const { loss, gradients } = sampledSoftmaxLossSync({ ...problem, biases, gradients: true });
    expect(loss.every(Number.isFinite)).toBe(true);
    expect(gradients.inputs.every(Number.isFinite)).toBe(true);
    const keep = (array: Float64Array | Int32Array) => Float64Array.from(array).filter((_, s) => s !== 3);
    const { sampledCandidates, sampledExpectedCount, trueExpectedCount } = problem.sampledValues;
    const without = {
      trueExpectedCount,
      sampledCandidates: Array.from(keep(sampledCandidates)),
      sampledExpectedCount: keep(sampledExpectedCount),
    };
    expectClose(loss, sampledSoftmaxLossSync({ ...problem, sampledValues: without }).loss, 1e-6);
  });
  it('the full softmax: NaN of a row stays in it, of a class reaches all rows', async () => {
    const { sampledValues: _, ...full } = problem;
    const inputs = full.inputs.slice();
    inputs[7 * 3] = NaN;
    expect(nanAt((await softmaxLoss({ ...full, inputs })).loss)).toEqual([7]);
    const biases = full.biases.slice();
    biases[39] = NaN;
    expect(nanAt(softmaxLossSync({ ...full, biases }).loss)).toEqual(all);
    biases[39] = -Infinity;
    expect(softmaxLossSync({ ...full, biases }).loss.every(Number.isFinite)).toBe(true);
  });
  it('NaN upstream of one row: its gradients alone', () => {
    const upstream = new Float64Array(rows).fill(1).with(4, NaN);
    const { loss, gradients } = sampledSoftmaxLossSync({ ...problem, gradients: { upstream } });
    expect(nanAt(loss)).toEqual([]);
    expect(nanAt(gradients.inputs)).toEqual([12, 13, 14]);
  });
});

describe.each(arithmetic)('logits of 1e30, %s', (_, type) => {
  it('and of -1e30 give finite losses and gradients', () => {
    for (const scale of [1e30, -1e30, 3e37, 1e15, -1e3]) {
      const problem = {
        weights: type.from([1, 0.25, 0.5, -1]),
        labels: [0, 1, 2, 3],
        inputs: type.from([scale, scale, scale / 2, scale]),
        sampledValues: { sampledCandidates: [0, 2, 3], trueExpectedCount: [1, 1, 1, 1], sampledExpectedCount: [0.5, 1, 1] },
      };
      const logits = [0, 1, 2, 3].map((row) => [...problem.weights].map((w) => w * (problem.inputs[row] as number)));
      const others = (row: number): number[] =>
        [0, 2, 3].filter((c) => c !== row).map((c) => (logits[row]![c] as number) - (c === 0 ? Math.log(0.5) : 0));
      const { loss, gradients } = sampledSoftmaxLossSync({ ...problem, gradients: true });
      expectClose(
        loss,
        logits.map((row, i) => logSumExp(row[i] as number, ...others(i)) - (row[i] as number)),
        1e-6,
        `softmax ${scale}`,
      );
      for (const values of [gradients.inputs, gradients.weights.values]) expect(values.every(Number.isFinite)).toBe(true);

      const logistic = nceLossSync({ ...problem, gradients: true });
      for (const values of [logistic.loss, logistic.gradients.inputs, logistic.gradients.weights.values]) {
        expect(values.every(Number.isFinite), `logistic ${scale}`).toBe(true);
      }
      const full = softmaxLossSync({ weights: problem.weights, labels: problem.labels, inputs: problem.inputs, gradients: true });
      expectClose(
        full.loss,
        logits.map((row, i) => logSumExp(...row) - (row[i] as number)),
        1e-6,
        `full ${scale}`,
      );
      for (const values of [full.gradients.inputs, full.gradients.weights]) expect(values.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('a NaN with a payload', () => {
  // As CUDA, R and others write them: the low bits of one must not become part of a finite number.
  const bits32 = [0x7fc00000, 0x7fffffff, 0xffffffff, 0x7fc00001, 0x7f8007a2];
  const bits64 = [0x7ff8000000000000n, 0x7fffffffffffffffn, 0xffffffffffffffffn, 0x7ff8000000000001n, 0x7ff00000000007a2n];
  const nans = [
    ...bits32.map((bits) => new Float32Array(Uint32Array.of(bits).buffer)),
    ...bits64.map((bits) => new Float64Array(BigUint64Array.of(bits).buffer)),
  ];
  it.each(nans.map((nan) => ({ nan })))('%# is a NaN in the loss and in the gradients', ({ nan: source }) => {
    const float64 = source instanceof Float64Array;
    const type = float64 ? Float64Array : Float32Array;
    const weights = new type(6).fill(0.5);
    if (float64) new BigUint64Array(weights.buffer).set(new BigUint64Array(source.buffer), 4);
    else new Uint32Array(weights.buffer).set(new Uint32Array(source.buffer), 4);
    const inputs = new type(2).fill(1);
    const sampledValues = { sampledCandidates: [1, 2], trueExpectedCount: [1], sampledExpectedCount: [1, 1] };
    const options = { weights, labels: [0], inputs, numClasses: 3, gradients: true } as const;
    for (const name of sampledLossNames) {
      const { loss, gradients } = sampledLosses[name].now({ ...options, sampledValues });
      expect(loss[0]).toBeNaN();
      expect(gradients.weights.values[4]).toBeNaN();
      expect(gradients.inputs[0]).toBeNaN();
    }
    expect(softmaxLossSync(options).loss[0]).toBeNaN();
  });
});

describe.each(arithmetic)('enormous logits that are rounded, %s', (_, type) => {
  const dim = 8;
  const size = { batch: 60, dim, numClasses: 50, numSampled: 20, numTrue: 1 };
  const { sampledValues, ...full } = randomProblem<FloatArray>(size, 5, type);
  it.each([1e6, 1e10, 1e12, 1e16, 1e30])('of about %d: losses >= 0, and gradients, are finite', (scale) => {
    const options = { ...full, inputs: full.inputs.map((x) => x * scale), gradients: true } as const;
    const sampled = sampledSoftmaxLossSync({ ...options, sampledValues });
    const whole = softmaxLossSync(options);
    for (const losses of [sampled.loss, whole.loss]) expect([...losses].every((x) => x >= 0 && Number.isFinite(x))).toBe(true);
    for (const values of [sampled.gradients.inputs, sampled.gradients.weights.values, whole.gradients.inputs, whole.gradients.weights]) {
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });
  it('a full softmax of a true class that is all but certain has no negative loss', () => {
    const labels = Int32Array.from({ length: size.batch }, (_, i) => i % size.numClasses);
    const inputs = full.inputs.slice();
    for (let i = 0; i < inputs.length; i++) {
      inputs[i] = 40 * (full.weights[(labels[Math.floor(i / dim)] as number) * dim + (i % dim)] as number);
    }
    expect([...softmaxLossSync({ ...full, labels, inputs }).loss].every((x) => x >= 0)).toBe(true);
  });
});

describe.each(arithmetic)('thousands of classes that cannot be, before others, %s', (_, type) => {
  const numClasses = 5000;
  const masked = 2000;
  const { weights, inputs, labels } = randomProblem<FloatArray>({ batch: 4, dim: 3, numClasses, numSampled: 1, numTrue: 1 }, 3, type);
  const options = { weights, inputs, labels: labels.map((id) => masked + (id % (numClasses - masked))), gradients: true } as const;
  const biased = (others: number): FloatArray => new type(numClasses).fill(others).fill(-Infinity, 0, masked);
  it('count nothing, however small the logits of the others are', () => {
    const small = softmaxLossSync({ ...options, biases: biased(-800) });
    const usual = softmaxLossSync({ ...options, biases: biased(0) });
    const tolerance = type.BYTES_PER_ELEMENT === 8 ? 1e-12 : 1e-4; // of logits near -800 less is known
    expectClose(small.gradients.weights, usual.gradients.weights, tolerance);
    expectClose(small.gradients.inputs, usual.gradients.inputs, tolerance);
    expectClose(small.gradients.biases, usual.gradients.biases, tolerance);
  });
});
