/** The samplers against TensorFlow 2.21's own draws and counts, call after call. */
import { describe, expect, it } from 'vitest';
import {
  AllCandidateSampler,
  FixedUnigramSampler,
  LearnedUnigramSampler,
  LogUniformSampler,
  UniformSampler,
  type Sample,
  type SampleOptions,
} from '../lib/index.ts';
import { floats, golden, ids, type GoldenArray } from './arrays.ts';

interface SamplerCase {
  sampler: string;
  unique: boolean;
  seed: number;
  seed2: number;
  numSampled: number;
  rangeMax: number;
  numTrue: number;
  unigrams?: number[];
  distortion?: number;
  numReservedIds?: number;
  numShards?: number;
  shard?: number;
  /** TensorFlow's ids are shifted here. */
  reservedIdsAndShards?: string;
  calls: Record<'trueClasses' | 'sampledCandidates' | 'trueExpectedCount' | 'sampledExpectedCount', GoldenArray>[];
}

interface AnySampler {
  sample(options: SampleOptions): Sample<number | bigint>;
}

function ulps(a: number, b: number): number {
  const [x, y] = new Int32Array(Float32Array.of(a, b).buffer) as unknown as [number, number];
  return Math.abs(x - y);
}

function expectCounts(got: Float32Array, want: ArrayLike<number>, what: string): void {
  expect(got.length, what).toBe(want.length);
  got.forEach((count, i) => {
    if (!(ulps(count, want[i] as number) <= 4)) expect.fail(`${what}[${i}]: ${count} instead of ${want[i]}`);
  });
}

function make(c: SamplerCase): AnySampler {
  const { sampler, rangeMax, numSampled, unique, unigrams } = c;
  const options = { rangeMax, numSampled, unique, seed: [BigInt(c.seed), BigInt(c.seed2)] as const };
  switch (sampler) {
    case 'Uniform':
      return new UniformSampler(options);
    case 'LogUniform':
      return new LogUniformSampler(options);
    case 'LearnedUnigram':
    case 'ThreadUnsafeUnigram': // the same without a lock
      return new LearnedUnigramSampler(options);
    case 'FixedUnigram': {
      const { distortion, numReservedIds, numShards, shard } = c;
      return new FixedUnigramSampler({ ...options, unigrams, distortion, numReservedIds, numShards, shard });
    }
    default:
      return new AllCandidateSampler({ numSampled });
  }
}

describe("TensorFlow's draws", () => {
  const cases = golden<SamplerCase[]>('samplers').filter((c) => c.reservedIdsAndShards === undefined);
  it('are enough of them', () => {
    expect(cases.length).toBeGreaterThan(120);
  });
  it.each(cases)('$sampler $numSampled of $rangeMax, unique $unique, seeds $seed $seed2', (c) => {
    const sampler = make(c);
    c.calls.forEach((call, i) => {
      const drawn = sampler.sample({ trueClasses: ids(call.trueClasses), numTrue: c.numTrue });
      expect(Array.from(drawn.sampledCandidates, Number), `call ${i}`).toEqual(call.sampledCandidates.data.map(Number));
      expectCounts(drawn.trueExpectedCount, floats(call.trueExpectedCount), `call ${i}: true counts`);
      expectCounts(drawn.sampledExpectedCount, floats(call.sampledExpectedCount), `call ${i}: sampled counts`);
    });
  });
});

/** Sums over the first 20,000 ids of a draw of `(position + 1) * id`: three draws each, seeds 9 and `numSampled`. */
const largeDraws = [
  { kind: UniformSampler, rangeMax: 100_000, numSampled: 8192, sums: [1703873602467, 1652877509768, 1674772146199] },
  { kind: LogUniformSampler, rangeMax: 100_000, numSampled: 8192, sums: [817905706087, 801730730591, 801193078223] },
  { kind: UniformSampler, rangeMax: 1_000_000, numSampled: 8192, sums: [16702367314926, 16478653314995, 16831832586347] },
  { kind: LogUniformSampler, rangeMax: 1_000_000, numSampled: 8192, sums: [5128028469722, 4777278721647, 4955407196766] },
  { kind: LogUniformSampler, rangeMax: 10_000_000, numSampled: 8192, sums: [37107409051796, 35273448435016, 36469585285888] },
  { kind: LogUniformSampler, rangeMax: 200_000_000, numSampled: 20_000, sums: [3333636747963262, 3513809764891218, 3436300467349090] },
  { kind: LogUniformSampler, rangeMax: 1_000_000, numSampled: 100_000, sums: [34712004971038, 33949190070651, 34256345355242] },
  // Every class, by rejection.
  { kind: LogUniformSampler, rangeMax: 20_000, numSampled: 20_000, sums: [2362447465617, 2362908106014, 2363038129997] },
  { kind: UniformSampler, rangeMax: 20_000, numSampled: 20_000, sums: [2003206771241, 1994044122189, 1999850965880] },
];

describe('large draws', () => {
  it.each(largeDraws)('$kind.name $numSampled of $rangeMax', ({ kind, rangeMax, numSampled, sums }) => {
    const sampler = new kind({ rangeMax, numSampled, seed: [9n, BigInt(numSampled)] });
    for (const sum of sums) {
      const { sampledCandidates, numTries } = sampler.sample({ trueClasses: [] });
      expect(sampledCandidates.subarray(0, 20_000).reduce((total, id, i) => total + (i + 1) * id, 0)).toBe(sum);
      expect(numTries).toBeGreaterThanOrEqual(numSampled);
    }
  });
});

describe('64-bit ids', () => {
  it.each([
    [UniformSampler, 2n ** 31n + 5n, 654n, [57149n, 792096009n, 1952236322n], [2120119828n, 220141428n, 492847067n]],
    [LogUniformSampler, 2n ** 31n + 5n, 654n, [419480n, 548122837n, 4091n], [51123412n, 39n, 15334n]],
    [UniformSampler, 10n ** 12n + 39n, 40n, [979122639978n, 533710373708n, 577768766334n], [398902436306n, 564565886691n, 864304359700n]],
    [LogUniformSampler, 10n ** 12n + 39n, 40n, [6311567423n, 4n, 5271402n], [598867n, 167802244n, 49n]],
    [
      UniformSampler,
      2n ** 63n - 1n,
      808n,
      [4749355995199337177n, 545689230678356710n, 2577439729354821302n],
      [7202672781725750425n, 5617208341371142225n, 305917265076693958n],
    ],
    [LogUniformSampler, 2n ** 63n - 1n, 808n, [2425536584096n, 172372984n, 387355151736636n], [8862n, 361576484001n, 62654779402433983n]],
  ] as const)('$0.name of $1', (kind, rangeMax, seed, first, second) => {
    const sampler = new kind({ rangeMax, numSampled: 3, seed: [seed, 3n] });
    for (const want of [first, second]) {
      const { sampledCandidates, sampledExpectedCount } = sampler.sample({ trueClasses: [] });
      expect(sampledCandidates).toEqual(BigInt64Array.of(...want));
      expect(sampledExpectedCount.every((count) => count > 0)).toBe(true);
    }
  });
  it('have counts where TensorFlow has 0', () => {
    const sampler = new LogUniformSampler({ rangeMax: 2n ** 63n - 1n, numSampled: 8, unique: false, seed: 1 });
    const { trueExpectedCount } = sampler.sample({ trueClasses: BigInt64Array.of(10n ** 18n, 10n ** 12n) });
    const exact = (k: number): number => (8 * Math.log1p(1 / (k + 1))) / Math.log1p(2 ** 63);
    expectCounts(trueExpectedCount, [exact(1e18), exact(1e12)], 'counts');
  });
  it('give the ids that 32 bits give', () => {
    const narrow = new LogUniformSampler({ rangeMax: 1000, numSampled: 50, seed: 3 }).sample({ trueClasses: [1, 2] });
    const wide = new LogUniformSampler({ rangeMax: 1000n, numSampled: 50, seed: 3 }).sample({ trueClasses: [1, 2] });
    expect(Array.from(wide.sampledCandidates, Number)).toEqual(Array.from(narrow.sampledCandidates));
    expect(wide.sampledExpectedCount).toEqual(narrow.sampledExpectedCount);
  });
});

describe('the skip between draws for numSampled of 2^20', () => {
  const numSampled = 2 ** 20;
  const firstIds = (compat: 'tensorflow' | undefined): number[][] => {
    const sampler = new UniformSampler({ rangeMax: 2 ** 30, numSampled, unique: false, seed: [1n, 1n], compat });
    return Array.from({ length: 4 }, () => Array.from(sampler.sample({ trueClasses: [] }).sampledCandidates.subarray(0, 4)));
  };
  it("overflows as TensorFlow's with compat: 'tensorflow'", () => {
    expect(firstIds('tensorflow')).toEqual([
      [117906450, 956895307, 995334991, 293036994],
      [452396739, 454333468, 443240145, 602808616],
      [573966972, 1038640960, 764800096, 834991139],
      [588742181, 1038452660, 272112284, 235338834],
    ]);
  });
  it('does not overflow otherwise', () => {
    const [first, second] = firstIds(undefined);
    expect(first).toEqual([117906450, 956895307, 995334991, 293036994]);
    expect(second).not.toEqual([452396739, 454333468, 443240145, 602808616]);
  });
});
