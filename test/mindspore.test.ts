/** MindSpore's documented example, its own test values, and its error conditions. */
import { describe, expect, it } from 'vitest';
import { SampledSoftmaxLoss } from '../lib/mindspore.ts';
import { expectClose } from './arrays.ts';

const linspace = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => (i + 1) / 100);

/** What `np.random.seed(1)` gives the documented example: weights [7, 10], biases [7], inputs [3, 10], of integers below 9. */
const documented = {
  // prettier-ignore
  weights: Float32Array.of(
    5, 8, 5, 0, 0, 1, 7, 6, 2, 4,
    5, 2, 4, 2, 4, 7, 7, 1, 7, 0,
    6, 7, 6, 1, 0, 1, 8, 8, 3, 8,
    7, 3, 6, 5, 1, 3, 4, 8, 1, 4,
    0, 3, 2, 0, 4, 2, 7, 7, 8, 6,
    3, 7, 7, 4, 5, 3, 6, 8, 0, 2,
    7, 7, 7, 3, 0, 8, 7, 7, 1, 1,
  ),
  biases: Float32Array.of(3, 0, 8, 6, 4, 5, 6),
  // prettier-ignore
  inputs: Float32Array.of(
    2, 5, 7, 8, 4, 4, 7, 7, 4, 0,
    2, 0, 7, 1, 7, 8, 4, 0, 1, 8,
    2, 3, 1, 2, 7, 2, 6, 0, 2, 6,
  ),
  labels: Int32Array.of(0, 1, 2),
};

describe('the documented example', () => {
  it("gives the documented digits with numerics: 'mindspore'", async () => {
    const loss = new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7, numTrue: 1, numerics: 'mindspore' });
    const result = await loss.forward(documented);
    const printed = Array.from(result.loss, (x) => x.toPrecision(8));
    expect(printed).toEqual(['46.051701', '14.000047', '0.0000061989022']);
    expect(Array.from(result.sampledValues.sampledCandidates, Number).sort()).toEqual([3, 4, 5, 6]);
  });

  it('gives the true losses by default', () => {
    const loss = new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7 });
    const rows = loss.forwardSync(documented).loss;
    for (const [i, want] of [71.0067153485, 14.0000462304, 6.1855926e-6].entries()) {
      expect(Math.abs((rows[i] as number) / want - 1)).toBeLessThan(1e-5); // float32 logits of about 100: 1e-7 of them is 1e-5 of the last row's loss
    }
  });
});

describe("MindSpore's own test values", () => {
  const arrays = {
    weights: { data: linspace(70), shape: [7, 10] },
    biases: linspace(7),
    inputs: { data: linspace(30), shape: [3, 10] },
    labels: [0, 1, 2],
  };
  const half = (n: number): number[] => new Array<number>(n).fill(0.5);
  const cases = [
    {
      what: 'given samples, flag off',
      options: { sampledValues: [[4, 0, 2, 3], half(3), half(4)], removeAccidentalHits: false },
      want: [1.7318448, 1.8015041, 1.7211525],
    },
    {
      what: 'given samples, flag on, no hits present',
      options: { sampledValues: [[4, 5, 6, 3], half(3), half(4)], removeAccidentalHits: true },
      want: [1.85211, 2.10999, 2.20862],
    },
    { what: 'no samples, seed 1, flag off', options: { seed: 1, removeAccidentalHits: false }, want: [1.7345718, 1.820291, 1.7704818] },
  ] as const;
  it.each(cases)('$what', async ({ options, want }) => {
    for (const numerics of ['stable', 'mindspore'] as const) {
      const loss = new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7, numTrue: 1, numerics, ...(options as object) });
      expectClose((await loss.forward(arrays)).loss, want, 5e-6);
    }
  });
  it('truly reduces', () => {
    const make = <R extends 'none' | 'mean' | 'sum'>(reduction: R): SampledSoftmaxLoss<R> =>
      new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7, seed: 1, removeAccidentalHits: false, reduction });
    const rows = Array.from(make('none').forwardSync(arrays).loss);
    const sum = rows.reduce((a, b) => a + b, 0);
    expect(make('sum').forwardSync(arrays).loss).toBe(sum);
    expect(make('mean').forwardSync(arrays).loss).toBe(sum / 3);
  });
  it('never masks given samples', () => {
    const values = [[0, 1, 2, 3], half(3), half(4)] as const;
    const on = new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7, sampledValues: values, removeAccidentalHits: true });
    const off = new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7, sampledValues: values, removeAccidentalHits: false });
    expect(on.forwardSync(arrays).loss).toEqual(off.forwardSync(arrays).loss);
  });
  it('keeps given samples for life, whatever becomes of the arrays', () => {
    const ids = [0, 1, 2, 3];
    const counts = Float32Array.of(0.5, 0.5, 0.5, 0.5);
    const sampledValues = { sampledCandidates: ids, trueExpectedCount: half(3), sampledExpectedCount: { data: counts, shape: [4] } };
    const loss = new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7, sampledValues });
    const before = loss.forwardSync(arrays).loss;
    ids[0] = 6;
    counts.fill(9);
    expect(loss.forwardSync(arrays).loss).toEqual(before);
  });
  it('gives gradients that agree with differences, in both numerics', () => {
    for (const numerics of ['stable', 'mindspore'] as const) {
      const values = { sampledCandidates: [4, 0, 2, 3], trueExpectedCount: half(3), sampledExpectedCount: half(4) };
      const loss = new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7, sampledValues: values, reduction: 'sum', numerics });
      const weights = Float64Array.from(linspace(70));
      const inputs = Float64Array.from(linspace(30));
      const at = (x: Float64Array): number => loss.forwardSync({ weights, biases: linspace(7), labels: [0, 1, 2], inputs: x }).loss;
      const { gradients } = loss.forwardSync({ weights, biases: linspace(7), labels: [0, 1, 2], inputs, gradients: true });
      for (const i of [0, 9, 17, 29]) {
        const [up, down] = [inputs.slice(), inputs.slice()];
        up[i]! += 1e-5;
        down[i]! -= 1e-5;
        expect(gradients.inputs[i]).toBeCloseTo((at(up) - at(down)) / 2e-5, 8);
      }
    }
  });
  it('saturates with a dying gradient only in MindSpore numerics', () => {
    const far = { weights: Float32Array.of(0, 110), labels: [0], inputs: Float32Array.of(1), gradients: true } as const;
    const values = { sampledCandidates: [1], trueExpectedCount: [1], sampledExpectedCount: [1] };
    const make = (numerics: 'stable' | 'mindspore'): SampledSoftmaxLoss =>
      new SampledSoftmaxLoss({ numSampled: 1, numClasses: 2, sampledValues: values, numerics });
    const saturated = make('mindspore').forwardSync(far);
    expect(saturated.loss[0]).toBeCloseTo(46.0517, 4);
    expect(saturated.gradients.inputs[0]).toBeCloseTo(0, 12);
    const stable = make('stable').forwardSync(far);
    expect(stable.loss[0]).toBeCloseTo(110, 4);
    expect(stable.gradients.inputs[0]).toBeCloseTo(110, 4);
  });
});

it('an unknown option of a call names the function', async () => {
  const loss = new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7 });
  const wrong = { ...documented, numSampled: 4 } as never;
  expect(() => loss.forwardSync(wrong)).toThrow("SampledSoftmaxLoss.forwardSync: unknown option 'numSampled'");
  await expect(loss.forward(wrong)).rejects.toThrow("SampledSoftmaxLoss.forward: unknown option 'numSampled'");
});

it('labels are read once', () => {
  const reads: string[] = [];
  const once = <T>(name: string, value: T): T => (reads.push(name), value);
  const labels = {
    get data(): number[] {
      return once('data', [0, 1, 2]);
    },
    get shape(): number[] {
      return once('shape', [3, 1]);
    },
  };
  const options = {
    ...documented,
    get labels(): typeof labels {
      return once('labels', labels);
    },
  };
  new SampledSoftmaxLoss({ numSampled: 4, numClasses: 7 }).forwardSync(options);
  expect(reads).toEqual(['labels', 'data', 'shape']);
});

describe('errors', () => {
  const good = { numSampled: 4, numClasses: 7 };
  it.each([
    [{ reduction: '' }, RangeError, "SampledSoftmaxLoss: reduction: expected one of 'none', 'mean', 'sum', got ''"],
    [{ reduction: 'invalid' }, RangeError, "got 'invalid'"],
    [{ numTrue: 0 }, RangeError, 'SampledSoftmaxLoss: numTrue: expected an integer in [1, 9007199254740991], got 0'],
    [{ seed: -1 }, RangeError, 'SampledSoftmaxLoss: seed'],
    [{ removeAccidentalHits: 'yes' }, TypeError, "SampledSoftmaxLoss: removeAccidentalHits: expected true or false, got 'yes'"],
    [{ numSampled: 8 }, RangeError, 'SampledSoftmaxLoss: numSampled is 8, more than numClasses, which is 7'],
    [{ numTrue: 8 }, RangeError, 'SampledSoftmaxLoss: numTrue is 8, more than numClasses, which is 7'],
    [
      { sampledValues: Float32Array.of(1) },
      TypeError,
      'SampledSoftmaxLoss: sampledValues: expected three arrays or an object of them, got Float32Array(1)',
    ],
    [{ sampledValues: [[1], [1], [1], [1]] }, RangeError, 'SampledSoftmaxLoss: sampledValues: expected 3 arrays, got 4'],
    [{ num_sampled: 3 }, TypeError, "unknown option 'num_sampled'; did you mean 'numSampled'?"],
  ] as const)('%o', (wrong, type, message) => {
    const make = (): SampledSoftmaxLoss => new SampledSoftmaxLoss({ ...good, ...wrong } as never);
    expect(make).toThrow(type);
    expect(make).toThrow(message);
  });
});
