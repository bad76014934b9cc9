/** computeAccidentalHits: TensorFlow's outputs, every copy of a repeated id, and wrong arguments. */
import { describe, expect, it } from 'vitest';
import { computeAccidentalHits } from '../lib/index.ts';
import { floats, golden, ids, randomIds, type GoldenArray } from './arrays.ts';

type HitCase = Record<'trueClasses' | 'sampledCandidates' | 'indices' | 'ids' | 'weights', GoldenArray> & { numTrue: number };

describe("TensorFlow's outputs", () => {
  it.each(golden<HitCase[]>('accidental-hits').map((c, i) => ({ c, i })))('case $i', ({ c }) => {
    const hits = computeAccidentalHits({
      trueClasses: ids(c.trueClasses),
      sampledCandidates: ids(c.sampledCandidates),
      numTrue: c.numTrue,
      compat: 'tensorflow',
    });
    expect(hits).toEqual({
      indices: Int32Array.from(ids(c.indices) as Int32Array),
      ids: Int32Array.from(ids(c.ids) as Int32Array),
      weights: floats(c.weights),
    });
  });
  it('the documented example: a true class repeated in a row is reported twice', () => {
    const options = { trueClasses: [1, 1, 5, 2, 9, 2], numTrue: 2, sampledCandidates: [2, 5, 1, 2], compat: 'tensorflow' } as const;
    const { indices, ids: positions, weights } = computeAccidentalHits(options);
    expect([Array.from(indices), Array.from(positions)]).toEqual([
      [0, 0, 1, 1, 2],
      [2, 2, 1, 3, 3],
    ]);
    expect(new Set(weights)).toEqual(new Set([-3.4028234663852886e38]));
  });
});

describe('every copy', () => {
  it('is reported by default', () => {
    const { indices, ids: positions } = computeAccidentalHits({
      trueClasses: [1, 1, 5, 2, 9, 2],
      numTrue: 2,
      sampledCandidates: [2, 5, 1, 2],
    });
    expect([Array.from(indices), Array.from(positions)]).toEqual([
      [0, 0, 1, 1, 1, 2, 2],
      [2, 2, 1, 0, 3, 0, 3],
    ]);
  });
  it.each([1, 3])('agrees with plain loops, numTrue %i', (numTrue) => {
    for (const limit of [5, 100, 100_000]) {
      const trueClasses = randomIds(60, limit, 1);
      const sampledCandidates = randomIds(300, limit, 2);
      for (const compat of [undefined, 'tensorflow'] as const) {
        const want: [number, number][] = [];
        trueClasses.forEach((label, i) => {
          sampledCandidates.forEach((id, at) => {
            if (id === label && (!compat || sampledCandidates.lastIndexOf(id) === at)) want.push([Math.floor(i / numTrue), at]);
          });
        });
        const got = computeAccidentalHits({ trueClasses, sampledCandidates, numTrue, compat });
        expect(Array.from(got.indices, (row, i) => [row, got.ids[i]])).toEqual(want);
      }
    }
  });
});

describe('arguments', () => {
  it('may be empty, 64 bits wide, of different widths, and out of any range', () => {
    const empty = { indices: new Int32Array(0), ids: new Int32Array(0), weights: new Float32Array(0) };
    expect(computeAccidentalHits({ trueClasses: [], sampledCandidates: [1] })).toEqual(empty);
    expect(computeAccidentalHits({ trueClasses: [1], sampledCandidates: [] })).toEqual(empty);
    const hits = computeAccidentalHits({
      trueClasses: BigInt64Array.of(-5n, 2n ** 62n, 3n),
      sampledCandidates: BigInt64Array.of(3n, 2n ** 62n, -5n),
    });
    expect([Array.from(hits.indices), Array.from(hits.ids)]).toEqual([
      [0, 1, 2],
      [2, 1, 0],
    ]);
    expect(Array.from(computeAccidentalHits({ trueClasses: [7], sampledCandidates: BigInt64Array.of(7n) }).ids)).toEqual([0]);
  });
  it.each([
    [{ trueClasses: [1, 2, 3], numTrue: 2 }, 'ERR_SHAPE_MISMATCH', 'trueClasses: 3 elements are not rows of numTrue = 2'],
    [
      { sampledCandidates: { data: [1, 2], shape: [1, 2] } },
      'ERR_SHAPE_MISMATCH',
      'sampledCandidates: expected shape [numSampled], got [1, 2]',
    ],
    [{ sampledCandidates: [0.5] }, 'ERR_INVALID_ARG_TYPE', 'sampledCandidates[0]: expected an integer, got 0.5'],
    [{ trueClasses: 'no' }, 'ERR_INVALID_ARG_TYPE', 'trueClasses'],
    [{ numTrue: 0 }, 'ERR_OUT_OF_RANGE', 'numTrue'],
    [{ compat: 'x' }, 'ERR_INVALID_ARG_VALUE', 'compat'],
    [{ seed: 1 }, 'ERR_UNKNOWN_OPTION', "unknown option 'seed'"],
  ] as const)('%o', (wrong, code, message) => {
    const call = (): unknown => computeAccidentalHits({ trueClasses: [1, 2], sampledCandidates: [1, 2], ...wrong } as never);
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) as string }));
  });
});
