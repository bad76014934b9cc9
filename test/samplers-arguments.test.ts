/** Wrong options and arguments of the samplers: the class, the code, the position and the value. */
import { describe, expect, it } from 'vitest';
import {
  AllCandidateSampler,
  CandidateSampler,
  FixedUnigramSampler,
  LearnedUnigramSampler,
  LogUniformSampler,
  logUniformCandidateSampler,
  SampledSoftmaxError,
  SampledSoftmaxRangeError,
  SampledSoftmaxTypeError,
  UniformSampler,
} from '../lib/index.ts';
import { binding } from '../lib/binding.ts';
import { MindSporeUniformSampler } from '../lib/samplers/mindspore-uniform.ts';

const [type, value, other] = [SampledSoftmaxTypeError, SampledSoftmaxRangeError, SampledSoftmaxError];

function expectError(call: () => unknown, kind: typeof type | typeof value | typeof other, code: string, message: string): void {
  expect(call).toThrow(kind);
  expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) as string }));
}

const good = { rangeMax: 10, numSampled: 3 };

describe('options', () => {
  it.each([
    [{ rangeMax: 0 }, value, 'ERR_OUT_OF_RANGE', 'rangeMax: expected an integer in [1, 2147483647], got 0'],
    [{ rangeMax: 2.5 }, type, 'ERR_INVALID_ARG_TYPE', 'rangeMax: expected an integer, got 2.5'],
    [{ rangeMax: '10' }, type, 'ERR_INVALID_ARG_TYPE', "rangeMax: expected an integer, got '10'"],
    [
      { rangeMax: 2 ** 31 },
      value,
      'ERR_OUT_OF_RANGE',
      'rangeMax: a number may be up to 2147483647, got 2147483648; pass a bigint for 64-bit ids',
    ],
    [{ rangeMax: 0n }, value, 'ERR_OUT_OF_RANGE', 'rangeMax: expected a bigint in [1, 2^63 - 1], got 0n'],
    [{ rangeMax: 2n ** 63n }, value, 'ERR_OUT_OF_RANGE', 'rangeMax'],
    [{ numSampled: 0 }, value, 'ERR_OUT_OF_RANGE', 'numSampled: expected an integer in [1, 268435456], got 0'],
    [{ numSampled: undefined }, type, 'ERR_INVALID_ARG_TYPE', 'numSampled: expected an integer, got undefined'],
    [
      { numSampled: 11 },
      value,
      'ERR_DRAW_IMPOSSIBLE',
      'numSampled: 11 classes cannot be drawn without repeats, only 10 of rangeMax = 10 can occur',
    ],
    [{ unique: 1 }, type, 'ERR_INVALID_ARG_TYPE', 'unique: expected true or false, got 1'],
    [{ seed: 1.5 }, type, 'ERR_INVALID_ARG_TYPE', 'seed: expected an integer, got 1.5'],
    [{ seed: 1n }, type, 'ERR_INVALID_ARG_TYPE', 'seed: expected an integer or a pair of bigints, got 1n'],
    [{ seed: [1n] }, type, 'ERR_INVALID_ARG_TYPE', 'seed: expected an integer or a pair of bigints, got an array of 1'],
    [{ seed: [1n, 2] }, type, 'ERR_INVALID_ARG_TYPE', 'seed[1]: expected a bigint, got 2'],
    [{ seed: [2n ** 63n, 2n] }, value, 'ERR_OUT_OF_RANGE', 'seed[0]: expected a signed 64-bit integer, got 9223372036854775808n'],
    [{ compat: 'torch' }, value, 'ERR_INVALID_ARG_VALUE', "compat: expected one of 'tensorflow', got 'torch'"],
    [{ range_max: 3 }, type, 'ERR_UNKNOWN_OPTION', "unknown option 'range_max'; did you mean 'rangeMax'?"],
  ] as const)('%o', (wrong, kind, code, message) => {
    for (const Sampler of [UniformSampler, LogUniformSampler]) {
      expectError(() => new Sampler({ ...good, ...wrong } as never), kind, code, message);
    }
  });
  it('must be an object', () => {
    for (const options of [undefined, null, 5, [10, 3]]) {
      expectError(() => new UniformSampler(options as never), type, 'ERR_INVALID_ARG_TYPE', 'UniformSampler: expected an options object');
      expectError(() => logUniformCandidateSampler(options as never), type, 'ERR_INVALID_ARG_TYPE', 'expected an options object');
    }
  });
  it('of the unigram samplers take no bigint range, and none of 2^31 - 1', () => {
    expectError(
      () => new LearnedUnigramSampler({ ...good, rangeMax: 10n } as never),
      type,
      'ERR_INVALID_ARG_TYPE',
      'rangeMax: expected an integer, got 10n',
    );
    expectError(
      () => new LearnedUnigramSampler({ ...good, rangeMax: 2 ** 31 - 1 }),
      value,
      'ERR_OUT_OF_RANGE',
      'rangeMax: expected an integer in [1, 2147483646]',
    );
  });
  it('of the all-candidate sampler are just one', () => {
    expectError(() => new AllCandidateSampler({ numSampled: 0 }), value, 'ERR_OUT_OF_RANGE', 'numSampled');
    expectError(() => new AllCandidateSampler(good), type, 'ERR_UNKNOWN_OPTION', 'rangeMax');
  });
});

describe('options of the fixed unigram sampler', () => {
  const fixed = { rangeMax: 3, numSampled: 2, unigrams: [1, 2, 3] };
  it.each([
    [{ unigrams: undefined }, value, 'ERR_INVALID_ARG_VALUE', 'expected one of unigrams and vocabFile, got neither'],
    [{ vocabFile: 'x' }, value, 'ERR_INVALID_ARG_VALUE', 'expected one of unigrams and vocabFile, got both'],
    [{ unigrams: undefined, vocabFile: 5 }, type, 'ERR_INVALID_ARG_TYPE', 'vocabFile: expected a path, got 5'],
    [{ unigrams: 5 }, type, 'ERR_INVALID_ARG_TYPE', 'unigrams: expected a Float32Array or Float64Array, got 5'],
    [{ unigrams: [1, '2', 3] }, type, 'ERR_INVALID_ARG_TYPE', "unigrams[1]: expected a number, got '2'"],
    [{ unigrams: [1, -2, 3] }, value, 'ERR_INVALID_ARG_VALUE', 'unigrams[1]: expected a finite weight >= 0 that float32 can hold, got -2'],
    [
      { unigrams: [1, 2, NaN] },
      value,
      'ERR_INVALID_ARG_VALUE',
      'unigrams[2]: expected a finite weight >= 0 that float32 can hold, got NaN',
    ],
    [
      { unigrams: [Infinity, 2, 3] },
      value,
      'ERR_INVALID_ARG_VALUE',
      'unigrams[0]: expected a finite weight >= 0 that float32 can hold, got Infinity',
    ],
    [
      { unigrams: [1, 1e300, 3] },
      value,
      'ERR_INVALID_ARG_VALUE',
      'unigrams[1]: expected a finite weight >= 0 that float32 can hold, got 1e+300',
    ],
    [{ unigrams: [0, 0, 0] }, value, 'ERR_INVALID_ARG_VALUE', 'unigrams: at least one weight must be positive'],
    [
      { unigrams: [1, 2] },
      value,
      'ERR_INVALID_ARG_VALUE',
      'rangeMax: expected the number of weights, reserved ones included, which is 2; got 3',
    ],
    [
      { unigrams: [0, 1, 0] },
      value,
      'ERR_DRAW_IMPOSSIBLE',
      'numSampled: 2 classes cannot be drawn without repeats, only 1 of rangeMax = 3 can occur',
    ],
    [
      { unigrams: [0, 1e10, 1e-40] },
      value,
      'ERR_DRAW_IMPOSSIBLE',
      'numSampled: 2 classes cannot be drawn without repeats, only 1 of rangeMax = 3 can occur',
    ],
    [{ unigrams: [0, 1, 2], distortion: -1 }, value, 'ERR_INVALID_ARG_VALUE', 'unigrams[0]: 0 to the power of -1 does not fit float32'],
    [{ distortion: NaN }, value, 'ERR_INVALID_ARG_VALUE', 'distortion: expected a finite number that float32 can hold, got NaN'],
    [{ distortion: 1e39 }, value, 'ERR_INVALID_ARG_VALUE', 'distortion: expected a finite number that float32 can hold, got 1e+39'],
    [{ numReservedIds: -1 }, value, 'ERR_OUT_OF_RANGE', 'numReservedIds'],
    [
      { numReservedIds: 2e9 },
      value,
      'ERR_INVALID_ARG_VALUE',
      'numReservedIds: 2000000000 ids are more than the rangeMax of 3 has room for',
    ],
    [{ numShards: 0 }, value, 'ERR_OUT_OF_RANGE', 'numShards'],
    [{ numShards: 2, shard: 2 }, value, 'ERR_OUT_OF_RANGE', 'shard: expected an integer in [0, 1], got 2'],
    [{ numShards: 2, shard: 0 }, value, 'ERR_INVALID_ARG_VALUE', 'of this shard, which is 2; got 3'],
  ] as const)('%o', (wrong, kind, code, message) => {
    expectError(() => new FixedUnigramSampler({ ...fixed, ...wrong } as never), kind, code, message);
  });
});

describe('true classes', () => {
  const sampler = new LogUniformSampler({ rangeMax: 10, numSampled: 3, seed: 1 });
  const before = sampler.state();
  it.each([
    [{ trueClasses: [1, 10, 2] }, value, 'ERR_OUT_OF_RANGE', 'trueClasses[1]: class 10 is out of range [0, 10)'],
    [{ trueClasses: [-1, 1] }, value, 'ERR_OUT_OF_RANGE', 'trueClasses[0]: class -1 is out of range [0, 10)'],
    [
      { trueClasses: BigInt64Array.of(1n, 2n, 3n, 2n ** 40n), numTrue: 2 },
      value,
      'ERR_OUT_OF_RANGE',
      'trueClasses[1, 1]: class 1099511627776 is out of range',
    ],
    [{ trueClasses: [1, 2.5] }, type, 'ERR_INVALID_ARG_TYPE', 'trueClasses[1]: expected an integer, got 2.5'],
    [
      { trueClasses: Float32Array.of(1) },
      type,
      'ERR_INVALID_ARG_TYPE',
      'trueClasses: expected an Int32Array, a BigInt64Array or number[], got Float32Array(1)',
    ],
    [{ trueClasses: undefined }, type, 'ERR_INVALID_ARG_TYPE', 'trueClasses'],
    [{ trueClasses: [1, 2, 3], numTrue: 2 }, value, 'ERR_SHAPE_MISMATCH', 'trueClasses: 3 elements are not rows of numTrue = 2'],
    [
      { trueClasses: { data: [1, 2], shape: [2] }, numTrue: 2 },
      value,
      'ERR_SHAPE_MISMATCH',
      'trueClasses: expected shape [batch, 2] (numTrue is 2), got [2]',
    ],
    [{ trueClasses: [1], numTrue: 0 }, value, 'ERR_OUT_OF_RANGE', 'numTrue'],
    [{ trueClasses: [1], num_true: 1 }, type, 'ERR_UNKNOWN_OPTION', "did you mean 'numTrue'?"],
  ] as const)('%o', (options, kind, code, message) => {
    expectError(() => sampler.sample(options as never), kind, code, message);
    expect(sampler.state()).toEqual(before);
  });
  it('may be views, shared, wide, shaped, or none at all', () => {
    const expected = new LogUniformSampler({ rangeMax: 10, numSampled: 3, seed: 1 }).sample({ trueClasses: [4, 5] });
    const shared = new Int32Array(new SharedArrayBuffer(16), 4, 2);
    shared.set([4, 5]);
    for (const trueClasses of [
      Int32Array.of(9, 4, 5, 9).subarray(1, 3),
      BigInt64Array.of(4n, 5n),
      shared,
      { data: [4, 5], shape: [2] },
      { data: [4, 5], shape: [2, 1] },
    ]) {
      expect(new LogUniformSampler({ rangeMax: 10, numSampled: 3, seed: 1 }).sample({ trueClasses })).toEqual(expected);
    }
    const none = new LogUniformSampler({ rangeMax: 10, numSampled: 3, seed: 1 }).sample({ trueClasses: [] });
    expect(none).toEqual({ ...expected, trueExpectedCount: new Float32Array(0) });
  });
  it('must not be detached', () => {
    const trueClasses = Int32Array.of(1, 2);
    structuredClone(trueClasses, { transfer: [trueClasses.buffer] });
    expectError(() => sampler.sample({ trueClasses }), type, 'ERR_DETACHED_BUFFER', 'trueClasses');
  });
});

describe('a draw that takes too long', () => {
  it('ends with ERR_DRAW_LIMIT and leaves the sampler usable', () => {
    // The second class has a chance of 2^-23 in one of 4096 buckets of the table.
    const unigrams = new Float32Array(4096).fill(0);
    unigrams[0] = 1;
    unigrams[7] = 1e-30;
    const sampler = new FixedUnigramSampler({ rangeMax: 4096, numSampled: 2, unigrams, seed: 1 });
    let error: unknown;
    try {
      sampler.sample({ trueClasses: [0] });
    } catch (thrown) {
      error = thrown;
    }
    expectError(
      () => {
        throw error as Error;
      },
      other,
      'ERR_DRAW_LIMIT',
      'found only 1 of 2 distinct classes in 268435488 draws',
    );
    expect(sampler.state().generator[1]).toBe('1024'); // one draw further
    // What the failed draw left behind does not reach the next one.
    expect(new UniformSampler({ rangeMax: 4096, numSampled: 4096 }).sample({ trueClasses: [] }).sampledCandidates.length).toBe(4096);
  }, 60_000);
});

describe('what the losses take from a sampler', () => {
  it.each(['rangeMax', 'numSampled', 'unique'])('%s cannot be changed', (name) => {
    const sampler = new UniformSampler(good);
    expect(() => Object.assign(sampler, { [name]: 1 })).toThrow(TypeError);
    expect(() => Object.defineProperty(sampler, name, { value: 1 })).toThrow(TypeError);
  });
});

describe('dispose', () => {
  it('may be called twice; everything else says so afterwards', () => {
    const sampler = new UniformSampler(good);
    const state = sampler.state();
    sampler.dispose();
    sampler[Symbol.dispose]();
    for (const call of [() => sampler.sample({ trueClasses: [1] }), () => sampler.state(), () => sampler.restore(state)]) {
      expectError(call, other, 'ERR_DISPOSED', 'the sampler has been disposed');
    }
  });
});

describe('CandidateSampler', () => {
  it('cannot be constructed, which would pass its checks by', () => {
    const Base = CandidateSampler as unknown as new (...args: unknown[]) => unknown;
    const setup = { kind: 'uniform', rangeMax: 3, numSampled: 1 };
    for (const args of [[setup], [Symbol('own'), setup], []]) {
      expectError(() => new Base(...args), type, 'ERR_INVALID_ARG_TYPE', 'CandidateSampler: make one of the samplers');
    }
    expect(new UniformSampler(good)).toBeInstanceOf(CandidateSampler);
  });
});

describe('the addon', () => {
  const sizes = { rangeMax: 3n, numSampled: 1, unique: true };
  const setup = { ...sizes, seed: 1n, seed2: 1n, tensorflowSkip: false, avoidTrueClasses: false, fixed: null };
  const fixed = { unigrams: Float32Array.of(1, 1, 1), distortion: 1, numReservedIds: 0, numShards: 1, shard: 0 };
  const createFixed = (wrong: object): unknown => binding().createSampler({ ...setup, kind: 3, fixed: { ...fixed, ...wrong } });
  it.each<[object, string]>([
    [{ numShards: 0 }, 'shard: there is no shard 0 of 0'],
    [{ shard: 1 }, 'shard: there is no shard 1 of 1'],
    [{ numShards: 2, shard: 2 ** 53 - 1 }, 'shard: there is no shard 9007199254740991 of 2'],
    [{ numReservedIds: 2 ** 53 - 1 }, 'numReservedIds: 9007199254740991 reserved ids in a range of 3'],
    [{ numReservedIds: -1 }, 'numReservedIds: not a size'],
    [{ numShards: NaN }, 'numShards: not a size'],
    [{ unigrams: Float32Array.of(1, NaN, 1) }, 'unigrams[1]: expected a finite weight >= 0'],
    [{ unigrams: new Float64Array(3) }, 'unigrams: not a Float32Array'],
    [{ distortion: NaN, unigrams: Float32Array.of(2, 2, 2) }, 'does not fit float32'],
  ])('refuses weights with %o', (wrong, message) => {
    expect(createFixed({})).toBeTypeOf('object');
    expect(() => createFixed(wrong)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_/) as string, message: expect.stringContaining(message) as string }),
    );
  });
  it.each<[unknown, string]>([
    [undefined, 'not a property of an object'],
    [null, 'not a property of an object'],
    [{ ...setup, kind: 3 }, 'unigrams: not a property of an object'],
    [{ ...setup, kind: 6 }, 'kind: no such sampler'],
    [{ ...setup, kind: 2.5 }, 'kind: not a size'],
    [{ ...setup, kind: 0, rangeMax: 3 }, 'rangeMax: not a bigint'],
    [{ ...setup, kind: 0, rangeMax: -1n }, 'rangeMax or numSampled below 1'],
    [{ ...setup, kind: 2, rangeMax: 2n ** 31n }, 'rangeMax beyond 32 bits'],
    [{ ...setup, kind: 0, numSampled: 0 }, 'rangeMax or numSampled below 1'],
    [{ ...setup, kind: 0, numSampled: NaN }, 'numSampled: not a size'],
    [{ ...setup, kind: 0, numSampled: 1.5 }, 'numSampled: not a size'],
  ])('refuses the setup %o', (wrong, message) => {
    expect(() => binding().createSampler(wrong as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INTERNAL', message: expect.stringContaining(message) as string }),
    );
  });
  it('refuses objects that are no samplers', () => {
    for (const foreign of [{}, [], new Map(), Object.create(null), binding(), () => 0, 5, 'x', null, undefined]) {
      expect(() => binding().samplerState(foreign as never)).toThrow('not a sampler');
      expect(() => binding().disposeSampler(foreign as never)).toThrow('not a sampler');
    }
  });
});

describe("MindSpore's uniform sampler", () => {
  const draw = (rangeMax: number, numSampled: number, removeAccidentalHits: boolean, trueClasses: number[], seed = 1): number[] =>
    Array.from(new MindSporeUniformSampler({ rangeMax, numSampled, seed, removeAccidentalHits }).sample({ trueClasses }).sampledCandidates);
  it("draws what MindSpore's GPU tests expect", () => {
    expect(draw(4, 3, false, [1])).toEqual([0, 3, 1]);
    expect(draw(4, 3, true, [1])).toEqual([0, 3, 2]);
    expect(draw(7, 4, false, [0, 1, 2])).toEqual([0, 5, 3, 1]);
  });
  it('avoids the whole batch where there is room, repeats counted', () => {
    expect(draw(7, 4, true, [0, 1, 2]).sort()).toEqual([3, 4, 5, 6]);
    expect(draw(4, 3, true, [1, 1])).toEqual([0, 3, 1]);
    const most = draw(100, 98, true, [17, 23]);
    expect(most.reduce((a, b) => a + b)).toBe(4950 - 40);
  });
  it('is random with seed 0, and saves its state', () => {
    expect(new Set(Array.from({ length: 10 }, () => draw(1000, 5, true, [], 0).join())).size).toBeGreaterThan(7);
    const sampler = new MindSporeUniformSampler({ rangeMax: 1000, numSampled: 5, seed: 3, removeAccidentalHits: true });
    sampler.sample({ trueClasses: [1] });
    const state = sampler.state();
    const next = sampler.sample({ trueClasses: [1] });
    sampler.restore(state);
    expect(sampler.sample({ trueClasses: [1] })).toEqual(next);
    expect(() => sampler.restore({ ...state, generator: ['0'] })).toThrow('state.generator: expected one word in [1, 2147483646]');
  });
});
