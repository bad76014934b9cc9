/** What the samplers do beyond single draws: seeds, state, learning, weights, frequencies; the cases of TensorFlow's own tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import {
  allCandidateSampler,
  AllCandidateSampler,
  fixedUnigramCandidateSampler,
  FixedUnigramSampler,
  learnedUnigramCandidateSampler,
  LearnedUnigramSampler,
  logUniformCandidateSampler,
  LogUniformSampler,
  uniformCandidateSampler,
  UniformSampler,
  type CandidateSampler,
  type SamplerState,
} from '../lib/index.ts';
import { isSampler } from '../lib/samplers/sampler.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: Iterable<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

/** The probability of every class: the expected count in a sample of one. */
const probabilities = (sampler: CandidateSampler): number[] =>
  Array.from(sampler.sample({ trueClasses: range(Number(sampler.rangeMax)) }).trueExpectedCount);

/** Shares of the classes in many single draws. */
function frequencies(sampler: CandidateSampler): number[] {
  const seen = new Array<number>(Number(sampler.rangeMax)).fill(0);
  const { sampledCandidates } = sampler.sample({ trueClasses: [] });
  for (const id of sampledCandidates) seen[Number(id)]!++;
  return seen.map((count) => count / sampledCandidates.length);
}

const one = { numSampled: 1, unique: false, seed: 1 } as const;
const many = { numSampled: 10_000, unique: false, seed: 1 } as const;

describe('seeds', () => {
  const first = (seed?: number | readonly [bigint, bigint]): string =>
    logUniformCandidateSampler({
      trueClasses: [1, 2],
      rangeMax: 1000,
      numSampled: 5,
      ...(seed === undefined ? {} : { seed }),
    }).sampledCandidates.join();
  it.each([1, 12, 123, 1234, 0])('%i gives the same draw in two samplers', (seed) => {
    expect(first(seed)).toBe(first(seed));
  });
  it('none gives different draws', () => {
    const draws = range(10).map(() => first());
    expect(new Set(draws).size).toBeGreaterThan(7);
  });
  it('are mapped as TensorFlow maps them', () => {
    const raw = (seed2: bigint): string => first([87654321n, seed2]);
    expect(first(0)).toBe(raw(0n));
    expect(first(42)).toBe(raw(42n));
    expect(first(-1)).toBe(raw(2147483646n));
    expect(first(2 ** 40 + 5)).toBe(raw(517n));
    expect(first(2 ** 31 - 1)).toBe(raw(0n));
  });
  it('are random as a pair of zeros', () => {
    expect(new Set(range(10).map(() => first([0n, 0n]))).size).toBeGreaterThan(7);
  });
  it('may be negative in a pair', () => {
    expect(first([-1n, -(2n ** 63n)])).toBe(first([-1n, -(2n ** 63n)]));
    expect(first([-1n, 1n])).not.toBe(first([-1n, 2n]));
  });
});

describe('probabilities', () => {
  it('uniform: all alike', () => {
    expect(new Set(probabilities(new UniformSampler({ rangeMax: 10, ...one })))).toEqual(new Set([Math.fround(0.1)]));
  });
  it('log-uniform: half as likely at twice the id', () => {
    const p = probabilities(new LogUniformSampler({ rangeMax: 1_000_000, ...one }));
    for (let i = 100; i < p.length; i *= 2) expect(Math.abs(p[i]! / p[i / 2]! - 0.5)).toBeLessThan(0.1);
    expect(sum(p)).toBeCloseTo(1, 4);
  });
  it('learned unigram: what was seen', () => {
    const sampler = new LearnedUnigramSampler({ rangeMax: 10, ...one });
    expect(probabilities(new LearnedUnigramSampler({ rangeMax: 10, ...one }))).toEqual(new Array(10).fill(Math.fround(0.1)));
    sampler.sample({ trueClasses: new Int32Array(10).fill(3) });
    const p = probabilities(sampler);
    expect(p[3]).toBeCloseTo(0.55, 6);
    expect(p[4]).toBeCloseTo(0.05, 6);
  });
  it('learned unigram: a staircase', () => {
    const sampler = new LearnedUnigramSampler({ rangeMax: 10, ...one });
    sampler.sample({ trueClasses: range(10).flatMap((id) => new Array<number>(id).fill(id)) });
    probabilities(sampler).forEach((p, id) => expect(p).toBeCloseTo((id + 1) / 55, 6));
  });
  it.each([
    ['uniform', () => new UniformSampler({ rangeMax: 10, ...many })],
    ['log-uniform', () => new LogUniformSampler({ rangeMax: 10, ...many })],
    ['learned unigram', () => new LearnedUnigramSampler({ rangeMax: 10, ...many })],
    ['fixed unigram', () => new FixedUnigramSampler({ rangeMax: 10, ...many, unigrams: range(10) })],
  ] as const)('%s: frequencies agree, and probabilities sum to 1', (_, make) => {
    const seen = frequencies(make());
    // Zero-weight classes cannot be true ones.
    const classes = range(10).filter((id) => id > 0 || seen[0]! > 0);
    const p = make()
      .sample({ trueClasses: classes })
      .trueExpectedCount.map((count) => count / 10_000);
    expect(sum(p)).toBeCloseTo(1, 5);
    classes.forEach((id, i) => expect(Math.abs(seen[id]! - p[i]!)).toBeLessThan(0.02));
  });
});

describe('expected counts without repeats', () => {
  it('agree with observed frequencies', () => {
    const sampler = new LogUniformSampler({ rangeMax: 100, numSampled: 50, seed: 5 });
    const [seen, counts] = [new Array<number>(100).fill(0), new Array<number>(100).fill(0)];
    const draws = 2000;
    for (let i = 0; i < draws; i++) {
      const { sampledCandidates, trueExpectedCount } = sampler.sample({ trueClasses: range(100) });
      expect(new Set(sampledCandidates).size).toBe(50);
      for (const id of sampledCandidates) seen[id]! += 1 / draws;
      trueExpectedCount.forEach((count, id) => (counts[id]! += count / draws));
    }
    counts.forEach((count, id) => expect(Math.abs(count - seen[id]!), `class ${id}`).toBeLessThan(0.06));
    expect(sum(counts)).toBeCloseTo(50, 0);
  });
  it('are p * S where no draw was rejected, even above 1', () => {
    const sampler = new FixedUnigramSampler({ rangeMax: 3, numSampled: 2, unigrams: [1, 8, 1], seed: 0 });
    for (let i = 0; i < 50; i++) {
      const { numTries, trueExpectedCount } = sampler.sample({ trueClasses: [1] });
      expect(trueExpectedCount[0]).toBeCloseTo(numTries === 2 ? 1.6 : 1 - 0.2 ** numTries, 5);
    }
  });
});

describe('state', () => {
  const makers: [string, () => CandidateSampler][] = [
    ['uniform', () => new UniformSampler({ rangeMax: 1000, numSampled: 20 })],
    ['log-uniform, bigint', () => new LogUniformSampler({ rangeMax: 10n ** 15n, numSampled: 20 })],
    ['learned unigram', () => new LearnedUnigramSampler({ rangeMax: 1000, numSampled: 20 })],
    ['fixed unigram', () => new FixedUnigramSampler({ rangeMax: 1000, numSampled: 20, unigrams: range(1000) })],
    ['all candidates', () => new AllCandidateSampler({ numSampled: 20 })],
  ];
  it.each(makers)('%s: goes through JSON and continues', (_, make) => {
    const sampler = make();
    sampler.sample({ trueClasses: [5, 5, 7] });
    const state = JSON.parse(JSON.stringify(sampler.state())) as SamplerState;
    const next = [sampler.sample({ trueClasses: [5] }), sampler.sample({ trueClasses: [6] })];
    const other = make();
    other.restore(state);
    expect([other.sample({ trueClasses: [5] }), other.sample({ trueClasses: [6] })]).toEqual(next);
    sampler.restore(state);
    expect(sampler.sample({ trueClasses: [5] })).toEqual(next[0]);
  });
  it('holds what was learned', () => {
    const sampler = new LearnedUnigramSampler({ rangeMax: 1000, numSampled: 20 });
    sampler.sample({ trueClasses: [5, 5, 7] });
    expect(sampler.state().learned).toEqual({ classes: [5, 7], counts: [2, 1] });
  });
  it('of another sampler, or wrong, is refused and changes nothing', () => {
    const sampler = new LearnedUnigramSampler({ rangeMax: 10, numSampled: 2, seed: 1 });
    const state = sampler.state();
    const wrong: [object, string][] = [
      [{ ...state, sampler: 'uniform' }, "state.sampler: expected 'learned-unigram', got 'uniform'"],
      [{ ...state, rangeMax: '11' }, "state.rangeMax: expected '10', got '11'"],
      [{ ...state, generator: ['1', '2'] }, 'state.generator: expected 3 words'],
      [{ ...state, generator: ['1', '2', 'x'] }, "state.generator[2]: expected the decimal digits of a 64-bit number, got 'x'"],
      [{ ...state, generator: ['1', '2', '18446744073709551616'] }, 'state.generator[2]'],
      [{ ...state, generator: 5 }, 'state.generator: expected an array of strings, got 5'],
      [{ ...state, learned: { classes: [10], counts: [1] } }, 'state.learned.classes[0]: expected ascending classes in [0, 10), got 10'],
      [{ ...state, learned: { classes: [1], counts: [0] } }, 'state.learned.counts[0]'],
      [{ ...state, learned: { classes: [1], counts: [2 ** 31] } }, 'state.learned.counts[0]'],
      [{ ...state, learned: { classes: [1], counts: [0.5] } }, 'state.learned.counts[0]: expected an integer, got 0.5'],
      [{ ...state, learned: { classes: [1], counts: [] } }, 'state.learned: 1 classes but 0 counts'],
      [{ ...state, more: 1 }, "unknown option 'more'"],
    ];
    for (const [bad, message] of wrong) expect(() => sampler.restore(bad as SamplerState)).toThrow(message);
    expect(() => sampler.restore(undefined as never)).toThrow(TypeError);
    expect(sampler.state()).toEqual(state);
  });
});

describe('the learned unigram sampler', () => {
  it('draws first from all ones, and learns after the draw', () => {
    const options = { rangeMax: 50, numSampled: 5, seed: 1 };
    const sampler = new LearnedUnigramSampler(options);
    const { trueExpectedCount } = sampler.sample({ trueClasses: [0, 1, 7, 49] });
    expect(new Set(trueExpectedCount)).toEqual(new Set([Math.fround(0.11415762)]));
    expect(learnedUnigramCandidateSampler({ ...options, trueClasses: [0, 1, 7, 49] })).toEqual(
      new LearnedUnigramSampler(options).sample({ trueClasses: [0, 1, 7, 49] }),
    );
  });
  it('handles a range beyond 2^30', () => {
    const sampler = new LearnedUnigramSampler({ rangeMax: 2 ** 30 + 7, numSampled: 10, seed: 1 });
    sampler.sample({ trueClasses: new Int32Array(1000).fill(2 ** 30 + 6) });
    expect(sampler.sample({ trueClasses: [2 ** 30 + 6] }).trueExpectedCount[0]).toBeCloseTo((10 * 1001) / (2 ** 30 + 1007), 10);
    sampler.dispose();
  });
});

describe('the fixed unigram sampler', () => {
  let folder: string;
  const file = (text: string): string => {
    const path = join(folder, `vocab-${Math.random()}.csv`);
    writeFileSync(path, text);
    return path;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vocab-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const weights = [1, 2, 4, 8, 16, 32, 64, 128, 256];
  const lines = weights.map((weight, i) => `w${i + 1},${weight}`).join('\n');

  it('reads a file, or takes the same from an array', () => {
    const total = sum(weights.map((weight) => weight ** 0.8));
    const path = file(lines);
    for (const source of [
      { vocabFile: path },
      { vocabFile: pathToFileURL(path) },
      { unigrams: weights },
      { unigrams: Float64Array.from(weights) },
    ]) {
      const p = probabilities(new FixedUnigramSampler({ rangeMax: 9, ...one, distortion: 0.8, ...source }));
      p.forEach((share, i) => expect(share).toBeCloseTo(weights[i]! ** 0.8 / total, 6));
    }
  });
  it('names the file, and the line that has no weight', () => {
    const make = (vocabFile: string) => () => new FixedUnigramSampler({ rangeMax: 9, ...one, vocabFile });
    expect(make(join(folder, 'missing'))).toThrow(
      expect.objectContaining({ code: 'ERR_VOCAB_FILE', message: expect.stringContaining('missing') as string }),
    );
    const path = file('a,1\nb,x\n');
    expect(make(path)).toThrow(
      expect.objectContaining({
        code: 'ERR_VOCAB_FILE',
        message: `vocabFile: '${path}', line 2: expected a finite weight >= 0 in the last field, got 'b,x'`,
      }),
    );
  });
  it('keeps reserved ids out of draws and true classes', () => {
    const sampler = new FixedUnigramSampler({ rangeMax: 11, ...many, unigrams: weights, numReservedIds: 2 });
    const seen = frequencies(sampler);
    expect(seen.slice(0, 2)).toEqual([0, 0]);
    expect(seen[10]).toBeCloseTo(256 / 511, 1);
    expect(() => sampler.sample({ trueClasses: [3, 5, 1, 2], numTrue: 2 })).toThrow(
      expect.objectContaining({
        code: 'ERR_OUT_OF_RANGE',
        message: 'trueClasses[1, 0]: class 1 has the weight 0, or next to it, and so the expected count 0',
      }),
    );
  });
  it('deals classes to shards, reserved ids included', () => {
    // 8 classes of which the first is reserved; shard 1 of 2 holds 1 3 5 7, which have the weights numbered 0 2 4 6.
    const unigrams = [1, 2, 3, 4, 5, 6, 7];
    const shard = (index: number) =>
      new FixedUnigramSampler({ rangeMax: 4, ...one, unigrams, numReservedIds: 1, numShards: 2, shard: index });
    expect(probabilities(shard(1))).toEqual([1, 3, 5, 7].map((weight) => weight / 16));
    expect(Array.from(shard(0).sample({ trueClasses: [1, 2, 3] }).trueExpectedCount)).toEqual(
      [2, 4, 6].map((weight) => Math.fround(weight / 12)),
    );
  });
  it('turns every weight to 1 with distortion 0', () => {
    expect(probabilities(new FixedUnigramSampler({ rangeMax: 4, ...one, unigrams: [0, 1, 5, 9], distortion: 0 }))).toEqual([
      0.25, 0.25, 0.25, 0.25,
    ]);
  });
});

describe('all candidates', () => {
  it('are all classes, each with the count 1', () => {
    const drawn = allCandidateSampler({ trueClasses: [1, 2, 0, 4, 3, 3], numTrue: 2, numSampled: 5 });
    expect(drawn).toEqual({
      sampledCandidates: Int32Array.of(0, 1, 2, 3, 4),
      trueExpectedCount: new Float32Array(6).fill(1),
      sampledExpectedCount: new Float32Array(5).fill(1),
      numTries: 5,
    });
  });
});

describe('one class', () => {
  it.each([{ kind: UniformSampler }, { kind: LogUniformSampler }, { kind: LearnedUnigramSampler }])('$kind.name', ({ kind }) => {
    const alone = new kind({ rangeMax: 1, numSampled: 1 }).sample({ trueClasses: [0] });
    expect([alone.sampledCandidates[0], alone.trueExpectedCount[0], alone.numTries]).toEqual([0, 1, 1]);
    const repeated = new kind({ rangeMax: 1, numSampled: 3, unique: false }).sample({ trueClasses: [0] });
    expect(Array.from(repeated.sampledExpectedCount)).toEqual([3, 3, 3]);
  });
});

describe('the functions under TensorFlow’s names', () => {
  const options = { rangeMax: 20, numSampled: 4, seed: 3 } as const;
  const batch = { trueClasses: [1, 2, 3, 4], numTrue: 2 } as const;
  it('are one draw of the samplers', () => {
    expect(uniformCandidateSampler({ ...options, ...batch })).toEqual(new UniformSampler(options).sample(batch));
    expect(logUniformCandidateSampler({ ...options, ...batch })).toEqual(new LogUniformSampler(options).sample(batch));
    const unigrams = range(20);
    expect(fixedUnigramCandidateSampler({ ...options, ...batch, unigrams })).toEqual(
      new FixedUnigramSampler({ ...options, unigrams }).sample(batch),
    );
  });
  it('have ids as wide as the range', () => {
    expectTypeOf(logUniformCandidateSampler({ ...options, ...batch }).sampledCandidates).toEqualTypeOf<Int32Array>();
    expectTypeOf(logUniformCandidateSampler({ ...options, ...batch, rangeMax: 20n }).sampledCandidates).toEqualTypeOf<BigInt64Array>();
    expectTypeOf(new UniformSampler({ rangeMax: 5n, numSampled: 1 }).sample(batch).sampledCandidates).toEqualTypeOf<BigInt64Array>();
    const either = new UniformSampler<number | bigint>({ rangeMax: 5, numSampled: 1 });
    expectTypeOf(either.sample({ trueClasses: [] }).sampledCandidates).toEqualTypeOf<Int32Array | BigInt64Array>();
    expect(logUniformCandidateSampler({ ...options, ...batch, rangeMax: 20n }).sampledCandidates).toBeInstanceOf(BigInt64Array);
  });
});

describe('isSampler', () => {
  it('tells samplers from what looks like one', () => {
    const sampler = new UniformSampler({ rangeMax: 5, numSampled: 1 });
    expect(isSampler(sampler)).toBe(true);
    for (const other of [undefined, null, 5, {}, Object.create(UniformSampler.prototype), { rangeMax: 5, numSampled: 1 }])
      expect(isSampler(other)).toBe(false);
  });
});
