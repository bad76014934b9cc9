/** Gradients of each loss, on random problems that are the same on every run: they are those of the loss that is given. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { softmaxLossSync, type FloatArray } from '../lib/index.ts';
import { expectClose, generator, randoms } from './arrays.ts';
import { sized } from './device.ts';
import { larger, problemSeed, randomProblem, sampledLosses, sampledLossNames, sizes, type RandomProblem } from './problems.ts';

/** Each loss as a function of a problem, with accidental hits as told. */
const losses = (['softmaxLoss', ...sampledLossNames] as const).flatMap((name) => {
  const hitOptions = name === 'softmaxLoss' || !sampledLosses[name].hitOption ? [undefined] : [true, false];
  return hitOptions.map((removeAccidentalHits) => ({
    title: removeAccidentalHits === undefined ? name : `${name}, hits ${removeAccidentalHits ? 'removed' : 'kept'}`,
    run: (problem: RandomProblem<FloatArray>, more: object) => {
      if (name === 'softmaxLoss') {
        const { sampledValues: _, ...rest } = problem;
        return softmaxLossSync({ ...rest, ...more });
      }
      const hits = removeAccidentalHits === undefined ? {} : { removeAccidentalHits };
      return sampledLosses[name].now({ ...problem, ...hits, ...more } as never);
    },
  }));
});

interface DenseGradients {
  weights: Float64Array;
  biases: Float64Array;
  inputs: Float64Array;
}

const parameters = ['weights', 'biases', 'inputs'] as const;

describe.each(losses)('gradients of $title', ({ run }) => {
  const value = (problem: RandomProblem<FloatArray>, reduction: 'none' | 'mean' | 'sum', upstream: number | number[]): number => {
    const { loss } = run(problem, { reduction }) as { loss: number | FloatArray };
    if (typeof loss === 'number') return loss * (upstream as number);
    let sum = 0;
    loss.forEach((l: number, i: number) => {
      sum += l * (typeof upstream === 'number' ? upstream : (upstream[i] as number));
    });
    return sum;
  };
  const denseGradients = (problem: RandomProblem<FloatArray>, reduction: string, upstream: unknown): DenseGradients =>
    (run(problem, { reduction, gradients: { mode: 'dense', upstream } }) as unknown as { gradients: DenseGradients }).gradients;

  it('are the central differences of the loss', () => {
    const upstreams = fc.record({
      reduction: fc.constantFrom('none', 'mean', 'sum'),
      rows: fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 5, maxLength: 5 }),
      single: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, problemSeed, upstreams, (size, seed, { reduction, rows, single }) => {
        const problem = randomProblem(size, seed);
        const upstream = reduction === 'none' && !single ? rows.slice(0, size.batch) : (rows[0] as number);
        const got = denseGradients(problem, reduction, upstream);
        const step = 1e-5;
        for (const name of parameters) {
          const differences = problem[name].map((x, i) => {
            const at = (y: number): number => {
              const moved = problem[name].slice();
              moved[i] = y;
              return value({ ...problem, [name]: moved }, reduction, upstream);
            };
            return (at(x + step) - at(x - step)) / (2 * step);
          });
          // Of the largest element or 1: the differences lose 1e-11 where the gradient is 0.
          expectClose([...got[name], 1], [...differences, 1], 2e-8, name);
        }
      }),
      { seed: 20, numRuns: sized(12, 4) },
    );
  });

  it('are the slope along any direction, for more than one block', () => {
    const problem = randomProblem(larger, 77);
    const upstream = Array.from(randoms(larger.batch, 5, 1, Float64Array));
    const got = denseGradients(problem, 'none', upstream);
    for (let seed = 1; seed <= 3; seed++) {
      const direction = parameters.map((name, i) => randoms(problem[name].length, 10 * seed + i, 1, Float64Array));
      const at = (step: number): number => {
        const moved = parameters.map((name, i) => [name, problem[name].map((x, k) => x + step * (direction[i]![k] as number))] as const);
        return value({ ...problem, ...Object.fromEntries(moved) }, 'none', upstream);
      };
      let slope = 0;
      parameters.forEach((name, i) =>
        got[name].forEach((g, k) => {
          slope += g * (direction[i]![k] as number);
        }),
      );
      expect((at(1e-5) - at(-1e-5)) / 2e-5).toBeCloseTo(slope, 5);
    }
  });

  it('do not depend on the order of the rows', () => {
    fc.assert(
      fc.property(fc.oneof(sizes, fc.constant(larger)), problemSeed, (size, seed) => {
        const { batch, dim, numTrue } = size;
        const problem = randomProblem(size, seed);
        const next = generator(seed);
        const order = Array.from({ length: batch }, (_, i) => [next(), i] as const)
          .sort(([a], [b]) => a - b)
          .map(([, i]) => i);
        const rows = <A extends Int32Array | Float64Array>(from: A, width: number): A => {
          const to = from.slice() as A;
          order.forEach((row, i) => to.set(from.subarray(row * width, (row + 1) * width), i * width));
          return to;
        };
        const permuted = {
          ...problem,
          labels: rows(problem.labels, numTrue),
          inputs: rows(problem.inputs, dim),
          sampledValues: { ...problem.sampledValues, trueExpectedCount: rows(problem.sampledValues.trueExpectedCount, numTrue) },
        };
        const [a, b] = [run(problem, { gradients: { mode: 'dense' } }), run(permuted, { gradients: { mode: 'dense' } })];
        const [before, after] = [a, b].map((r) => r.gradients as unknown as DenseGradients) as [DenseGradients, DenseGradients];
        expectClose(b.loss as Float64Array, rows(a.loss as unknown as Float64Array, 1), 1e-13, 'loss');
        expectClose(after.inputs, rows(before.inputs, dim), 1e-13, 'inputs');
        expectClose(after.weights, before.weights, 1e-12, 'weights');
        expectClose(after.biases, before.biases, 1e-12, 'biases');
      }),
      { seed: 21, numRuns: sized(10, 4) },
    );
  });

  it('of a reduced loss are those of its definition, reduced in double and in order', () => {
    fc.assert(
      fc.property(sizes, problemSeed, fc.boolean(), (size, seed, single) => {
        const problem = randomProblem<FloatArray>(size, seed, single ? Float32Array : Float64Array);
        const each = run(problem, {}).loss as unknown as FloatArray;
        let sum = 0;
        each.forEach((loss: number) => {
          sum += loss;
        });
        expect(run(problem, { reduction: 'sum' }).loss).toBe(sum);
        expect(run(problem, { reduction: 'mean' }).loss).toBe(sum / size.batch);
        const mean = denseGradients(problem, 'mean', 3);
        const none = denseGradients(problem, 'none', new Array(size.batch).fill(3 / size.batch));
        for (const name of parameters) expectClose(mean[name], none[name], single ? 1e-6 : 1e-14, name);
      }),
      { seed: 22, numRuns: sized(20, 6) },
    );
  });
});
