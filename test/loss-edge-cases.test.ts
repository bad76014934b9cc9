/** The corners of the losses: what happens with nothing, with hits only, and with repeats. */
import { describe, expect, it } from 'vitest';
import {
  FixedUnigramSampler,
  LogUniformSampler,
  nceLossSync,
  sampledSoftmaxLossSync,
  softmaxLossSync,
  UniformSampler,
  type FloatArray,
  type RowGradients,
} from '../lib/index.ts';
import { expectClose } from './arrays.ts';
import { logSumExp, randomProblem, sampledLosses, sampledLossNames, toDense } from './problems.ts';

const arithmetic = [
  ['float32', Float32Array],
  ['float64', Float64Array],
] as const;
const size = { batch: 4, dim: 3, numClasses: 9, numSampled: 5, numTrue: 1 };
const modes = ['sparse', 'merged', 'dense'] as const;

describe('what is drawn', () => {
  const { sampledValues: _, ...problem } = randomProblem(size, 1);
  it('more than all classes: refused before any work', () => {
    for (const name of sampledLossNames) {
      expect(() => sampledLosses[name].now({ ...problem, numSampled: 10 })).toThrow(
        expect.objectContaining({ code: 'ERR_DRAW_IMPOSSIBLE' }),
      );
    }
  });
  it('all classes, each once', () => {
    const { sampledValues, loss } = sampledSoftmaxLossSync({ ...problem, numSampled: 9, seed: 4 });
    expect(Array.from(sampledValues.sampledCandidates as Int32Array).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(loss.every(Number.isFinite)).toBe(true);
    const large = randomProblem({ ...size, numClasses: 20_000 }, 2);
    const drawn = sampledSoftmaxLossSync({ ...large, sampledValues: undefined, numSampled: 20_000, seed: 1 }).sampledValues;
    expect(new Set(drawn.sampledCandidates as Int32Array).size).toBe(20_000);
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
    const outs = [
      { inputs: new Float32Array(12) },
      { inputs: new Float64Array(11) },
      { inputs: problem.inputs },
      { weights: new Float64Array(27) },
    ];
    for (const out of outs) expect(() => sampledSoftmaxLossSync({ ...problem, sampler, gradients: { out } })).toThrow('gradients.out');
    expect(sampler.state()).toEqual(before);
  });
  it('nothing: the true classes alone are left', () => {
    const none = { sampledCandidates: [], trueExpectedCount: [0.5, 0.5, 0.5, 0.5], sampledExpectedCount: [] };
    for (const mode of modes) {
      const one = sampledSoftmaxLossSync({ ...problem, sampledValues: none, gradients: { mode } });
      expect(one.loss).toEqual(new Float64Array(4));
      expect(one.gradients.inputs).toEqual(new Float64Array(12));
      const two = sampledSoftmaxLossSync({
        ...problem,
        labels: [0, 1, 1, 2],
        inputs: problem.inputs.slice(0, 6),
        numTrue: 2,
        sampledValues: none,
        gradients: { mode },
      });
      expect(two.loss.every((loss) => loss >= Math.log(2) - 1e-15)).toBe(true);
    }
  });
  it('the last class of a log-uniform range has a small count, not 0', () => {
    const rows = randomProblem({ ...size, numClasses: 50 }, 3);
    const { sampledValues, loss } = sampledSoftmaxLossSync({
      ...rows,
      sampledValues: undefined,
      labels: [0, 1, 7, 49],
      numSampled: 5,
      seed: 1,
    });
    expectClose(sampledValues.trueExpectedCount, [0.8814572, 0.5156194, 0.14978161, 0.025182486], 3e-7);
    expect(loss.every(Number.isFinite)).toBe(true);
  });
  it('a true class whose probability is 0 in float32 is an error with a sampler', () => {
    const sampler = new FixedUnigramSampler({ rangeMax: 3, numSampled: 1, unigrams: [1e-30, 1, 1e30], seed: 1 });
    expect(() => sampler.sample({ trueClasses: [0] })).toThrow('trueClasses[0]: class 0 has the weight 0, or next to it');
    expect(sampler.sample({ trueClasses: [1] }).trueExpectedCount[0]).toBeGreaterThan(0);
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
  const each = (check: (seed: number) => void): void => {
    for (let seed = 1; seed <= 200; seed++) check(seed);
  };

  it('one true class: loss 0, gradients 0', () => {
    each((seed) => {
      const problem = randomProblem<FloatArray>({ ...size, batch: 3 }, seed, type);
      const sampledValues = { ...problem.sampledValues, sampledCandidates: [4, 4, 4, 4, 4] };
      const { loss, gradients } = sampledSoftmaxLossSync({ ...problem, labels: [4, 4, 4], sampledValues, gradients: true });
      for (const values of [loss, gradients.inputs, gradients.weights.values, gradients.biases.values]) {
        expect(Array.from(values).filter((x) => x !== 0)).toEqual([]); // 0 or -0
      }
    });
  });
  it('two true classes: their logsumexp, and no NaN', () => {
    each((seed) => {
      const problem = randomProblem<FloatArray>({ ...size, numTrue: 2, batch: 2 }, seed, type);
      const counts = { trueExpectedCount: [1, 1], sampledExpectedCount: [1, 1, 1] };
      const { loss, gradients } = sampledSoftmaxLossSync({
        ...problem,
        labels: [3, 7, 7, 3],
        sampledValues: { sampledCandidates: [7, 3, 7], ...counts },
        gradients: { mode: 'merged' },
      });
      const logit = (row: number, c: number): number =>
        [0, 1, 2].reduce(
          (sum, k) => sum + (problem.inputs[row * 3 + k] as number) * (problem.weights[c * 3 + k] as number),
          problem.biases[c] as number,
        );
      const want = [0, 1].map((row) => logSumExp(logit(row, 3), logit(row, 7)) - (logit(row, 3) + logit(row, 7)) / 2);
      expectClose(loss, want, type === Float32Array ? 1e-6 : 1e-14);
      expect(loss.every((l: number) => l >= Math.log(2) * (1 - 1e-7))).toBe(true);
      expect(gradients.weights.values.every(Number.isFinite)).toBe(true);
      const equal = sampledSoftmaxLossSync({
        ...problem,
        labels: [3, 3, 7, 7],
        sampledValues: { sampledCandidates: [3], ...counts, sampledExpectedCount: [1] },
      });
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
      gradients.weights.forEach((g, i) => {
        dense[i]! += g;
      });
    }
    expectClose(toDense(all.gradients.weights), dense, 1e-13);
  });
  it('of a label in its row: every slot counts', () => {
    const values = { sampledCandidates: [1], trueExpectedCount: [1, 1, 1], sampledExpectedCount: [1] };
    const { loss } = sampledSoftmaxLossSync({
      weights: Float64Array.of(0.5, 2),
      labels: [0, 0, 0],
      inputs: Float64Array.of(1),
      numTrue: 3,
      sampledValues: values,
    });
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

describe("an earlier call's gradients as arrays to write to", () => {
  const { sampledValues: _, ...problem } = randomProblem(size, 5);
  it.each(['sparse', 'dense'] as const)('%s: hold the new ones, as they would be without', (mode) => {
    const { gradients: out } = sampledSoftmaxLossSync({ ...problem, numSampled: 5, seed: 1, gradients: { mode } });
    const call = { ...problem, numSampled: 5, seed: 2 };
    const fresh = sampledSoftmaxLossSync({ ...call, gradients: { mode } }).gradients;
    const reused = sampledSoftmaxLossSync({ ...call, gradients: { mode, out: out as never } }).gradients;
    expect(reused).toEqual(fresh);
    const valuesOf = (g: unknown): unknown => (mode === 'sparse' ? (g as RowGradients).values : g);
    expect(valuesOf(reused.weights)).toBe(valuesOf(out.weights));
    expect(reused.inputs).toBe(out.inputs);
  });
  it('but indices in the place of values are refused', () => {
    const shared = new Float64Array(9);
    const indices = new Int32Array(shared.buffer, 0, 9);
    const out = { biases: { indices, values: shared } };
    expect(() => sampledSoftmaxLossSync({ ...problem, numSampled: 5, gradients: { out } })).toThrow('overlaps');
  });
});

describe('nothing at all', () => {
  const problem = randomProblem(size, 9);
  it.each(sampledLossNames)('%s of an empty batch: no losses, the sampled rows with zeros', async (name) => {
    const empty = {
      ...problem,
      labels: [],
      inputs: new Float64Array(0),
      sampledValues: { ...problem.sampledValues, trueExpectedCount: [] },
    };
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
    sampledSoftmaxLossSync({
      ...problem,
      sampledValues: { sampledCandidates, sampledExpectedCount, trueExpectedCount: trueExpectedCount as never },
    });

  it('one per row stand for all of its labels', () => {
    const want = run([0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4]).loss;
    expect(run([0.1, 0.2, 0.3, 0.4]).loss).toEqual(want);
    expect(run(Float64Array.of(0.1, 0.2, 0.3, 0.4)).loss).toEqual(want);
    for (const shape of [[4, 1], [4]]) expect(run({ data: Float64Array.of(0.1, 0.2, 0.3, 0.4), shape }).loss).toEqual(want);
    expect(run({ data: Float64Array.of(0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4), shape: [4, 2] }).loss).toEqual(want);
    for (const length of [0, 1, 2, 3, 5, 7, 9])
      expect(() => run(new Float64Array(length))).toThrow('sampledValues.trueExpectedCount: expected');
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
    expect(Array.from(sampledSoftmaxLossSync({ ...problem, removeAccidentalHits: false, sampledValues }).loss, Number.isNaN)).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });
});

it('sums of many rows keep the order of the rows', () => {
  const problem = randomProblem<FloatArray>({ batch: 1000, dim: 2, numClasses: 10, numSampled: 4, numTrue: 1 }, 12, Float32Array);
  const each = sampledSoftmaxLossSync(problem).loss;
  let sum = 0;
  each.forEach((loss: number) => {
    sum += loss;
  });
  expect(sampledSoftmaxLossSync({ ...problem, reduction: 'sum' }).loss).toBe(sum);
});
