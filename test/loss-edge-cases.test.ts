/** The corners of the losses: what happens with nothing, with hits only, with repeats, and with numbers that are none. */
import { describe, expect, it } from 'vitest';
import {
  FixedUnigramSampler,
  LogUniformSampler,
  nceLossSync,
  sampledSoftmaxLossSync,
  softmaxLoss,
  softmaxLossSync,
  UniformSampler,
  type FloatArray,
  type RowGradients,
} from '../lib/index.ts';
import { expectClose } from './arrays.ts';
import { randomProblem, sampledLosses, sampledLossNames, toDense } from './problems.ts';

const arithmetic = [
  ['float32', Float32Array],
  ['float64', Float64Array],
] as const;
const size = { batch: 4, dim: 3, numClasses: 9, numSampled: 5, numTrue: 1 };
const modes = ['sparse', 'merged', 'dense'] as const;
const logSumExp = (...logits: number[]): number => {
  const max = Math.max(...logits);
  return max + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - max), 0));
};

describe('what is drawn', () => {
  const { sampledValues: _, ...problem } = randomProblem(size, 1);
  it('more than all classes: refused before any work', () => {
    for (const name of sampledLossNames) {
      expect(() => sampledLosses[name].now({ ...problem, numSampled: 10 })).toThrow(expect.objectContaining({ code: 'ERR_DRAW_IMPOSSIBLE' }));
    }
  });
  it('all classes, each once', () => {
    const { sampledValues, loss } = sampledSoftmaxLossSync({ ...problem, numSampled: 9, seed: 4 });
    expect(Array.from(sampledValues.sampledCandidates as Int32Array).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(loss.every(Number.isFinite)).toBe(true);
    const large = randomProblem({ ...size, numClasses: 20_000 }, 2);
    const drawn = sampledSoftmaxLossSync({ ...large, sampledValues: undefined, numSampled: 20_000, seed: 1 }).sampledValues;
    expect(new Set(drawn.sampledCandidates).size).toBe(20_000);
  });
  it('advances a sampler, and can be had again from its state', () => {
    const sampler = new LogUniformSampler({ rangeMax: 9, numSampled: 5, seed: 2 });
    const state = sampler.state();
    const calls = [1, 2].map(() => sampledSoftmaxLossSync({ ...problem, sampler }));
    expect(calls[1]!.sampledValues).not.toEqual(calls[0]!.sampledValues);
    sampler.restore(state);
    expect([1, 2].map(() => sampledSoftmaxLossSync({ ...problem, sampler }))).toEqual(calls);
  });
  it('does not happen where the call is refused', () => {
    const sampler = new UniformSampler({ rangeMax: 9, numSampled: 5, seed: 2 });
    const before = sampler.state();
    for (const wrong of [{ labels: [0, 1, 2, 9] }, { inputs: new Float64Array(11) }, { numSampled: 4 }, { reduction: 'max' }]) {
      expect(() => sampledSoftmaxLossSync({ ...problem, sampler, ...wrong } as never)).toThrow();
    }
    expect(sampler.state()).toEqual(before);
  });
  it('does not happen where the call cannot write its results', () => {
    const sampler = new UniformSampler({ rangeMax: 9, numSampled: 5, seed: 2 });
    const before = sampler.state();
    const outs = [{ inputs: new Float32Array(12) }, { inputs: new Float64Array(11) }, { inputs: problem.inputs }, { weights: new Float64Array(27) }];
    for (const out of outs) expect(() => sampledSoftmaxLossSync({ ...problem, sampler, gradients: { out } })).toThrow('gradients.out');
    expect(sampler.state()).toEqual(before);
  });
  it('nothing: the true classes alone are left', () => {
    const none = { sampledCandidates: [], trueExpectedCount: [0.5, 0.5, 0.5, 0.5], sampledExpectedCount: [] };
    for (const mode of modes) {
      const one = sampledSoftmaxLossSync({ ...problem, sampledValues: none, gradients: { mode } });
      expect(one.loss).toEqual(new Float64Array(4));
      expect(one.gradients.inputs).toEqual(new Float64Array(12));
      const two = sampledSoftmaxLossSync({ ...problem, labels: [0, 1, 1, 2], inputs: problem.inputs.slice(0, 6), numTrue: 2, sampledValues: none, gradients: { mode } });
      expect(two.loss.every((loss) => loss >= Math.log(2) - 1e-15)).toBe(true);
    }
  });
  it('the last class of a log-uniform range has a small count, not 0', () => {
    const rows = randomProblem({ ...size, numClasses: 50 }, 3);
    const { sampledValues, loss } = sampledSoftmaxLossSync({ ...rows, sampledValues: undefined, labels: [0, 1, 7, 49], numSampled: 5, seed: 1 });
    expectClose(sampledValues.trueExpectedCount, [0.8814572, 0.5156194, 0.14978161, 0.025182486], 3e-7);
    expect(loss.every(Number.isFinite)).toBe(true);
  });
  it('a true class that is never drawn is an error with a sampler', () => {
    const sampler = new FixedUnigramSampler({ rangeMax: 9, numSampled: 3, unigrams: [1, 1, 1, 1, 0, 1, 1, 1, 1] });
    expect(() => sampledSoftmaxLossSync({ ...problem, labels: [0, 1, 4, 2], sampler })).toThrow('labels[2]: class 4 has the weight 0');
  });
  it('one class: uniform and log-uniform draw it, and it is a hit', () => {
    const one = { weights: Float32Array.of(2, 1), biases: Float32Array.of(1), labels: [0], inputs: Float32Array.of(3, 1), numClasses: 1 };
    for (const unique of [true, false]) {
      for (const Sampler of [UniformSampler, LogUniformSampler]) {
        const sampler = new Sampler({ rangeMax: 1, numSampled: unique ? 1 : 3, unique });
        const { loss, sampledValues } = sampledSoftmaxLossSync({ ...one, sampler });
        expect(loss).toEqual(Float32Array.of(0));
        expect(sampledValues.sampledCandidates).toEqual(new Int32Array(unique ? 1 : 3));
        expect(sampledValues.trueExpectedCount[0]).toBe(unique ? 1 : 3);
        const kept = sampledSoftmaxLossSync({ ...one, sampler, removeAccidentalHits: false });
        expect(kept.loss[0]).toBeCloseTo(Math.log(unique ? 2 : 4), 6);
      }
    }
    expect(softmaxLossSync(one).loss).toEqual(Float32Array.of(0));
  });
});

describe.each(arithmetic)('all sampled classes are hits, %s', (_, type) => {
  // Many seeds: a shift by the rounded largest logit must not show in the loss.
  const each = (check: (seed: number) => void): void => { for (let seed = 1; seed <= 200; seed++) check(seed); };

  it('one true class: loss 0, gradients 0', () => {
    each((seed) => {
      const problem = randomProblem<FloatArray>({ ...size, batch: 3 }, seed, type as never);
      const sampledValues = { ...problem.sampledValues, sampledCandidates: [4, 4, 4, 4, 4] };
      const { loss, gradients } = sampledSoftmaxLossSync({ ...problem, labels: [4, 4, 4], sampledValues, gradients: true });
      for (const values of [loss, gradients.inputs, gradients.weights.values, gradients.biases.values]) {
        expect(Array.from(values).filter((x) => x !== 0)).toEqual([]); // 0 or -0
      }
    });
  });
  it('two true classes: their logsumexp, and no NaN', () => {
    each((seed) => {
      const problem = randomProblem<FloatArray>({ ...size, numTrue: 2, batch: 2 }, seed, type as never);
      const counts = { trueExpectedCount: [1, 1], sampledExpectedCount: [1, 1, 1] };
      const { loss, gradients } = sampledSoftmaxLossSync({
        ...problem,
        labels: [3, 7, 7, 3],
        sampledValues: { sampledCandidates: [7, 3, 7], ...counts },
        gradients: { mode: 'merged' },
      });
      const logit = (row: number, c: number): number =>
        problem.inputs.subarray(row * 3, row * 3 + 3).reduce((sum: number, x: number, k: number) => sum + x * (problem.weights[c * 3 + k] as number), problem.biases[c] as number);
      const want = [0, 1].map((row) => logSumExp(logit(row, 3), logit(row, 7)) - (logit(row, 3) + logit(row, 7)) / 2);
      expectClose(loss, want, type === Float32Array ? 1e-6 : 1e-14);
      expect(loss.every((l: number) => l >= Math.log(2) * (1 - 1e-7))).toBe(true);
      expect(gradients.weights.values.every(Number.isFinite)).toBe(true);
      const equal = sampledSoftmaxLossSync({ ...problem, labels: [3, 3, 7, 7], sampledValues: { sampledCandidates: [3], ...counts, sampledExpectedCount: [1] } });
      expect(equal.loss[0]).toBeCloseTo(Math.log(2), 6); // the least there is: both true logits alike
    });
  });
});

it.each(['float16', 'bfloat16'] as const)('%s inputs with hits give no NaN', (dtype) => {
  const one = dtype === 'float16' ? 0x3c00 : 0x3f80;
  const { loss, gradients } = sampledSoftmaxLossSync({
    weights: { data: new Uint16Array(12).fill(one), shape: [4, 3], dtype },
    labels: [0, 1, 2, 3],
    inputs: { data: new Uint16Array(6).fill(one), shape: [2, 3], dtype },
    numTrue: 2,
    sampledValues: { sampledCandidates: [0, 2, 0], trueExpectedCount: [1, 1], sampledExpectedCount: [1, 1, 1] },
    gradients: true,
  });
  expectClose(loss, [Math.log(3), Math.log(4)], 1e-6); // row 0 keeps class 2, row 1 both copies of class 0
  expect(gradients.weights.values.every(Number.isFinite)).toBe(true);
});

describe('repeats', () => {
  const problem = randomProblem(size, 8);
  it('of a label in other rows: rows are on their own, gradient rows add up', () => {
    const all = sampledSoftmaxLossSync({ ...problem, labels: [2, 2, 2, 2], gradients: { mode: 'merged' } });
    const dense = new Float64Array(27);
    for (let row = 0; row < 4; row++) {
      const { loss, gradients } = sampledSoftmaxLossSync({
        ...problem,
        labels: [2],
        inputs: problem.inputs.slice(row * 3, row * 3 + 3),
        sampledValues: { ...problem.sampledValues, trueExpectedCount: problem.sampledValues.trueExpectedCount.slice(row, row + 1) },
        gradients: { mode: 'dense' },
      });
      expect(all.loss[row]).toBeCloseTo(loss[0] as number, 14);
      gradients.weights.forEach((g, i) => { dense[i]! += g; });
    }
    expectClose(toDense(all.gradients.weights), dense, 1e-13);
  });
  it('of a label in its row: every slot counts', () => {
    const values = { sampledCandidates: [1], trueExpectedCount: [1, 1, 1], sampledExpectedCount: [1] };
    const { loss } = sampledSoftmaxLossSync({ weights: Float64Array.of(0.5, 2), labels: [0, 0, 0], inputs: Float64Array.of(1), numTrue: 3, sampledValues: values });
    expect(loss[0]).toBeCloseTo(Math.log(3 * Math.exp(0.5) + Math.exp(2)) - 0.5, 14);
  });
  it('of a sampled hit: all copies are left out, and with compat tensorflow the last one', () => {
    const options = {
      weights: Float64Array.of(0.5, 2, 1),
      labels: [2],
      inputs: Float64Array.of(1),
      sampledValues: { sampledCandidates: [2, 0, 1, 2], trueExpectedCount: [1], sampledExpectedCount: [1, 1, 1, 1] },
    };
    expect(sampledSoftmaxLossSync(options).loss[0]).toBeCloseTo(logSumExp(1, 0.5, 2) - 1, 14);
    expect(sampledSoftmaxLossSync({ ...options, compat: 'tensorflow' }).loss[0]).toBeCloseTo(logSumExp(1, 1, 0.5, 2) - 1, 14);
    expect(sampledSoftmaxLossSync({ ...options, removeAccidentalHits: false }).loss[0]).toBeCloseTo(logSumExp(1, 1, 1, 0.5, 2) - 1, 14);
  });
});

describe('nothing at all', () => {
  const problem = randomProblem(size, 9);
  it.each(sampledLossNames)('%s of an empty batch: no losses, the sampled rows with zeros', async (name) => {
    const empty = { ...problem, labels: [], inputs: new Float64Array(0), sampledValues: { ...problem.sampledValues, trueExpectedCount: [] } };
    for (const mode of modes) {
      const { loss, gradients } = await sampledLosses[name].later({ ...empty, gradients: { mode } });
      expect(loss).toEqual(new Float64Array(0));
      expect(gradients.inputs).toEqual(new Float64Array(0));
      const { weights } = gradients as { weights: RowGradients | Float64Array };
      expect('indices' in weights ? toDense(weights) : weights).toEqual(new Float64Array(27));
      if ('indices' in weights && mode === 'sparse') expect(weights.indices).toEqual(problem.sampledValues.sampledCandidates);
    }
    expect(sampledLosses[name].now({ ...empty, reduction: 'sum' }).loss).toBe(0);
    expect(() => sampledLosses[name].now({ ...empty, reduction: 'mean' })).toThrow("reduction 'mean' of an empty batch has no value");
  });
  it('is no way to have parts of rows', () => {
    const empty = { weights: new Float32Array(60), labels: [], inputs: new Float32Array(0), numClasses: 14 };
    expect(() => softmaxLossSync(empty)).toThrow(expect.objectContaining({ code: 'ERR_SHAPE_MISMATCH' }));
    expect(() => nceLossSync({ ...empty, numSampled: 4 })).toThrow(expect.objectContaining({ code: 'ERR_SHAPE_MISMATCH' }));
  });
  it.each(sampledLossNames)('%s of dim 0: biases and counts alone', (name) => {
    const flat = { ...problem, weights: new Float64Array(0), inputs: new Float64Array(0) };
    const zeros = { ...problem, inputs: new Float64Array(12) };
    for (const mode of modes) {
      const got = sampledLosses[name].now({ ...flat, gradients: { mode } });
      const want = sampledLosses[name].now({ ...zeros, gradients: { mode } });
      expect(got.loss).toEqual(want.loss);
      expect(got.gradients.biases).toEqual(want.gradients.biases);
      expect(got.gradients.inputs).toHaveLength(0);
    }
    const { biases: _, ...unbiased } = flat;
    expect(sampledLosses[name].now(unbiased).loss).toHaveLength(4);
  });
  it('without biases: those of zero, and no gradient of them', () => {
    const { biases: _, ...unbiased } = problem;
    for (const name of sampledLossNames) {
      const got = sampledLosses[name].now({ ...unbiased, gradients: true });
      const want = sampledLosses[name].now({ ...problem, biases: new Float64Array(9), gradients: true });
      expect(got.loss).toEqual(want.loss);
      expect(got.gradients.weights).toEqual(want.gradients.weights);
      expect(got.gradients.biases).toBeUndefined();
    }
    const { sampledValues: __, ...full } = unbiased;
    expect(softmaxLossSync({ ...full, gradients: true }).gradients.biases).toBeUndefined();
    expect(softmaxLossSync(full).loss).toEqual(softmaxLossSync({ ...full, biases: new Float64Array(9) }).loss);
  });
});

describe('counts', () => {
  const problem = randomProblem({ ...size, numTrue: 2 }, 10);
  const { sampledCandidates, sampledExpectedCount } = problem.sampledValues;
  const run = (trueExpectedCount: unknown) =>
    sampledSoftmaxLossSync({ ...problem, sampledValues: { sampledCandidates, sampledExpectedCount, trueExpectedCount: trueExpectedCount as never } });

  it('one per row stand for all of its labels', () => {
    const want = run([0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4]).loss;
    expect(run([0.1, 0.2, 0.3, 0.4]).loss).toEqual(want);
    expect(run(Float64Array.of(0.1, 0.2, 0.3, 0.4)).loss).toEqual(want);
    for (const shape of [[4, 1], [4]]) expect(run({ data: Float64Array.of(0.1, 0.2, 0.3, 0.4), shape }).loss).toEqual(want);
    expect(run({ data: Float64Array.of(0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4), shape: [4, 2] }).loss).toEqual(want);
    for (const length of [0, 1, 2, 3, 5, 7, 9]) expect(() => run(new Float64Array(length))).toThrow('sampledValues.trueExpectedCount: expected');
  });
  it('of a stated shape that is not theirs are refused', () => {
    const refused = expect.objectContaining({ code: 'ERR_SHAPE_MISMATCH' });
    for (const shape of [[2, 4], [1, 8], [8], [8, 1]]) {
      expect(() => run({ data: new Float64Array(8).fill(1), shape }), `[${shape.join(', ')}]`).toThrow(refused);
    }
    const counts = { ...problem.sampledValues, sampledExpectedCount: { data: new Float64Array(5).fill(1), shape: [1, 5] } };
    expect(() => sampledSoftmaxLossSync({ ...problem, sampledValues: counts })).toThrow(refused);
    const upstream = { data: new Float64Array(4), shape: [2, 2] };
    expect(() => sampledSoftmaxLossSync({ ...problem, gradients: { upstream } })).toThrow(refused);
  });
  it('of zero make that row NaN for a true class, all rows for a sampled one', () => {
    const { loss } = run([0.1, 0.1, 0.2, 0, 0.3, 0.3, 0.4, 0.4]);
    expect(Array.from(loss, Number.isNaN)).toEqual([false, true, false, false]);
    const sampledValues = { ...problem.sampledValues, sampledExpectedCount: sampledExpectedCount.with(2, 0) };
    expect(Array.from(sampledSoftmaxLossSync({ ...problem, removeAccidentalHits: false, sampledValues }).loss, Number.isNaN)).toEqual([true, true, true, true]);
  });
});

describe.each(arithmetic)('numbers that are none, %s', (_, type) => {
  // Sampled and true classes apart; more rows than a tile holds.
  const rows = 19;
  const problem = {
    ...randomProblem<FloatArray>({ ...size, batch: rows, numClasses: 40, numSampled: 6 }, 11, type as never),
    labels: Int32Array.from({ length: rows }, (_, i) => i),
  };
  problem.sampledValues.sampledCandidates.set([30, 31, 32, 33, 34, 35]);
  const nanAt = (values: ArrayLike<number>): number[] => Array.from(values).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
  const all = Array.from({ length: rows }, (_, i) => i);
  const bad = [NaN, Infinity, -Infinity];

  it.each(sampledLossNames.flatMap((name) => bad.map((value) => [name, value] as const)))('%s: %d in one row of inputs stays in it', (name, value) => {
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
  });
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
    const without = { trueExpectedCount, sampledCandidates: Array.from(keep(sampledCandidates)), sampledExpectedCount: keep(sampledExpectedCount) };
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
      const others = (row: number): number[] => [0, 2, 3].filter((c) => c !== row).map((c) => (logits[row]![c] as number) - (c === 0 ? Math.log(0.5) : 0));
      const { loss, gradients } = sampledSoftmaxLossSync({ ...problem, gradients: true });
      expectClose(loss, logits.map((row, i) => logSumExp(row[i] as number, ...others(i)) - (row[i] as number)), 1e-6, `softmax ${scale}`);
      for (const values of [gradients.inputs, gradients.weights.values]) expect(values.every(Number.isFinite)).toBe(true);

      const logistic = nceLossSync({ ...problem, gradients: true });
      for (const values of [logistic.loss, logistic.gradients.inputs, logistic.gradients.weights.values]) {
        expect(values.every(Number.isFinite), `logistic ${scale}`).toBe(true);
      }
      const full = softmaxLossSync({ weights: problem.weights, labels: problem.labels, inputs: problem.inputs, gradients: true });
      expectClose(full.loss, logits.map((row, i) => logSumExp(...row) - (row[i] as number)), 1e-6, `full ${scale}`);
      for (const values of [full.gradients.inputs, full.gradients.weights]) expect(values.every(Number.isFinite)).toBe(true);
    }
  });
});

it('sums of many rows keep the order of the rows', () => {
  const problem = randomProblem<FloatArray>({ batch: 1000, dim: 2, numClasses: 10, numSampled: 4, numTrue: 1 }, 12, Float32Array as never);
  const each = sampledSoftmaxLossSync(problem).loss as FloatArray;
  let sum = 0;
  each.forEach((loss: number) => { sum += loss; });
  expect(sampledSoftmaxLossSync({ ...problem, reduction: 'sum' }).loss).toBe(sum);
});
