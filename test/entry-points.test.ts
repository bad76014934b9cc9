/**
 * Every entry point of the package with every kind of array that can go wrong: views, shared and detached memory, wrong
 * types and lengths, ids out of range, numbers that are none, and nothing at all. The tables below say what there is.
 */
import { describe, expect, it } from 'vitest';
import {
  AllCandidateSampler,
  allCandidateSampler,
  computeAccidentalHits,
  EmbeddingTable,
  FixedUnigramSampler,
  fixedUnigramCandidateSampler,
  LearnedUnigramSampler,
  learnedUnigramCandidateSampler,
  LogUniformSampler,
  logUniformCandidateSampler,
  softmaxLoss,
  softmaxLossSync,
  UniformSampler,
  uniformCandidateSampler,
} from '../lib/index.ts';
import { SampledSoftmaxLoss } from '../lib/mindspore.ts';
import { randomIds, randoms } from './arrays.ts';
import { sampledLosses, sampledLossNames } from './problems.ts';

type Options = Record<string, unknown>;
type AnyArray = Float32Array | Float64Array | Int32Array | BigInt64Array;

interface Argument {
  readonly path: string;
  readonly anyLength?: boolean;
  readonly lengthCode?: string;
}

interface ValueArgument extends Argument {
  /** Whether an array of numbers will do. */
  readonly plain?: boolean;
  /** NaN and infinities are refused. */
  readonly finite?: boolean;
}

interface IdArgument extends Argument {
  /** Ids must be below it; undefined: any id will do. */
  readonly limit?: number;
  /** How many ids make a row: positions are named by row and column. */
  readonly width: number;
}

interface Entry {
  readonly name: string;
  readonly run: (options: never) => unknown;
  /** New arguments, always the same. */
  readonly good: () => Options;
  readonly values: readonly ValueArgument[];
  readonly ids: readonly IdArgument[];
  /** Arguments of nothing, and what comes back. */
  readonly empty: readonly { title: string; options: () => Options; check: (result: never) => void }[];
}

const [batch, dim, numClasses, numTrue] = [3, 4, 11, 2];
const lossOptions = (): Options => ({
  weights: randoms(numClasses * dim, 1),
  biases: randoms(numClasses, 2),
  labels: Int32Array.of(0, 5, 10, 3, 5, 1),
  inputs: randoms(batch * dim, 3),
  numClasses,
  numTrue,
  gradients: { upstream: Float32Array.of(1, 0.5, 2), mode: 'dense' },
});
const lossValues = [{ path: 'weights' }, { path: 'biases' }, { path: 'inputs' }, { path: 'gradients.upstream', plain: true }];
const labels = { path: 'labels', limit: numClasses, width: numTrue };

const sampledOptions = (): Options => ({
  ...lossOptions(),
  sampledValues: {
    sampledCandidates: Int32Array.of(2, 5, 8, 0),
    trueExpectedCount: Float32Array.of(0.5, 0.1, 0.2, 0.3, 0.1, 0.4),
    sampledExpectedCount: Float32Array.of(0.4, 0.1, 0.3, 0.5),
  },
});

const lossesOfNothing = (good: () => Options): Entry['empty'] => [
  {
    title: 'an empty batch',
    options: () => {
      const { sampledValues, ...options } = good() as { sampledValues?: Options };
      const values = sampledValues && { sampledValues: { ...sampledValues, trueExpectedCount: [] } };
      return { ...options, ...values, labels: [], inputs: new Float32Array(0), gradients: { mode: 'dense' } };
    },
    check: ({ loss, gradients }: { loss: unknown; gradients: Options }) => {
      expect(loss).toEqual(new Float32Array(0));
      expect(gradients['inputs']).toEqual(new Float32Array(0));
      expect(gradients['weights']).toEqual(new Float32Array(numClasses * dim));
    },
  },
  {
    title: 'dim 0',
    options: () => ({ ...good(), weights: new Float32Array(0), inputs: new Float32Array(0) }),
    check: ({ loss, gradients }: { loss: Float32Array; gradients: Options }) => {
      expect(loss.every(Number.isFinite) && loss.length === batch).toBe(true);
      expect(gradients['weights']).toEqual(new Float32Array(0));
    },
  },
  {
    title: 'one class',
    options: () => {
      const { sampledValues, ...options } = good() as { sampledValues?: Options };
      const values = sampledValues && { sampledValues: { sampledCandidates: [0], trueExpectedCount: [1], sampledExpectedCount: [1] } };
      return { ...options, ...values, weights: randoms(4, 1), biases: [randoms(1, 2)], labels: [0, 0], inputs: randoms(4, 3), numClasses: 1, gradients: true };
    },
    check: ({ loss }: { loss: Float32Array }) => {
      expect(loss.length === 1 && Number.isFinite(loss[0])).toBe(true);
    },
  },
];

const lossEntries: Entry[] = [
  ...sampledLossNames.flatMap((name) =>
    (['later', 'now'] as const).map((form) => ({
      name: form === 'later' ? name : `${name}Sync`,
      run: sampledLosses[name][form],
      good: sampledOptions,
      values: [...lossValues, { path: 'sampledValues.trueExpectedCount', plain: true }, { path: 'sampledValues.sampledExpectedCount', plain: true }].filter(
        ({ path }) => name !== 'negativeSamplingLoss' || !path.includes('ExpectedCount'),
      ),
      ids: [labels, { path: 'sampledValues.sampledCandidates', limit: numClasses, width: 1 }],
      empty: lossesOfNothing(sampledOptions),
    })),
  ),
  ...[softmaxLoss, softmaxLossSync].map((run) => ({
    name: run.name,
    run,
    good: lossOptions,
    values: lossValues,
    ids: [labels],
    empty: lossesOfNothing(lossOptions),
  })),
];

const mindsporeOptions = (): Options => {
  const { numClasses: _, numTrue: __, ...options } = lossOptions();
  return options;
};
const mindsporeOf = (): SampledSoftmaxLoss => new SampledSoftmaxLoss({ numSampled: 3, numClasses, numTrue, seed: 5 });
const mindsporeEntries: Entry[] = [
  { name: 'mindspore forward', run: (options: never) => mindsporeOf().forward(options) },
  { name: 'mindspore forwardSync', run: (options: never) => mindsporeOf().forwardSync(options) },
].map((entry) => ({ ...entry, good: mindsporeOptions, values: lossValues, ids: [labels], empty: lossesOfNothing(mindsporeOptions).slice(0, 2) }));

const draws = { trueClasses: Int32Array.of(3, 0, 1, 9, 2, 3, 4, 5), numTrue: 2, numSampled: 4 };
const ranged = { ...draws, rangeMax: 11, seed: 3 };
const unigrams = (): Float32Array => Float32Array.of(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5);
const samplersOf = [
  [UniformSampler, uniformCandidateSampler, () => ({ ...ranged })],
  [LogUniformSampler, logUniformCandidateSampler, () => ({ ...ranged })],
  [LearnedUnigramSampler, learnedUnigramCandidateSampler, () => ({ ...ranged })],
  [FixedUnigramSampler, fixedUnigramCandidateSampler, () => ({ ...ranged, unigrams: unigrams() })],
  [AllCandidateSampler, allCandidateSampler, () => ({ ...draws, numSampled: 11 })],
] as const;
const samplerEntries: Entry[] = samplersOf.flatMap(([Sampler, draw, good]) => {
  const one = (run: Entry['run'], name: string): Entry => ({
    name,
    run,
    good,
    values: Sampler === FixedUnigramSampler ? [{ path: 'unigrams', plain: true, finite: true, lengthCode: 'ERR_INVALID_ARG_VALUE' }] : [],
    ids: [{ path: 'trueClasses', limit: 11, width: 2 }],
    empty: [
      {
        title: 'an empty batch',
        options: () => ({ ...good(), trueClasses: [] }),
        check: ({ trueExpectedCount, sampledCandidates }: { trueExpectedCount: unknown; sampledCandidates: Int32Array }) => {
          expect(trueExpectedCount).toEqual(new Float32Array(0));
          expect(sampledCandidates).toHaveLength(good().numSampled);
        },
      },
      {
        title: 'one class',
        options: () => {
          const options = { ...good(), trueClasses: [0, 0], numSampled: 1 };
          return { ...options, ...('rangeMax' in options ? { rangeMax: 1 } : {}), ...('unigrams' in options ? { unigrams: [0.5] } : {}) };
        },
        check: ({ sampledCandidates }: { sampledCandidates: Int32Array }) => expect(sampledCandidates).toEqual(Int32Array.of(0)),
      },
    ],
  });
  const sample = ({ trueClasses, numTrue: width, ...own }: Options): unknown =>
    new (Sampler as new (own: Options) => UniformSampler)(own).sample({ trueClasses, numTrue: width } as never);
  return [one(draw as Entry['run'], draw.name), one(sample as Entry['run'], `${Sampler.name}.sample`)];
});

const hits: Entry = {
  name: 'computeAccidentalHits',
  run: computeAccidentalHits,
  good: () => ({ trueClasses: Int32Array.of(1, 2, 3, 9), numTrue: 2, sampledCandidates: Int32Array.of(9, 2, 2) }),
  values: [],
  ids: [
    { path: 'trueClasses', width: 2 },
    { path: 'sampledCandidates', width: 1, anyLength: true },
  ],
  empty: ['trueClasses', 'sampledCandidates'].map((path) => ({
    title: `no ${path}`,
    options: () => ({ trueClasses: [1], sampledCandidates: [1], [path]: [] }),
    check: (result: never) => expect(result).toEqual({ indices: new Int32Array(0), ids: new Int32Array(0), weights: new Float32Array(0) }),
  })),
};

const [rows, width] = [7, 3];
const table = (): EmbeddingTable<'float32'> => EmbeddingTable.createSync({ rows, dim: width, init: 'normal', seed: 1 });
const indices = { path: 'indices', limit: rows, width: 1 };
const rowOptions = (): Options => ({ indices: Int32Array.of(6, 0, 3, 1), values: randoms(12, 4) });
const tableEntry = (name: string, call: (t: EmbeddingTable, options: { indices: never; values: never }) => unknown, values: boolean): Entry => ({
  name: `EmbeddingTable.${name}`,
  run: async (options: never) => {
    const t = table();
    return [await call(t, options), t.viewSync(0, rows)];
  },
  good: () => {
    const options = rowOptions();
    return values ? options : { indices: options['indices'] };
  },
  values: values ? [{ path: 'values' }] : [],
  ids: [{ ...indices, anyLength: !values }],
  empty: [
    {
      title: 'no rows',
      options: () => ({ indices: [], values: new Float32Array(0) }),
      check: (result: unknown[]) => expect(result[1]).toEqual(table().viewSync(0, rows)),
    },
  ],
});
const tableEntries: Entry[] = [
  tableEntry('read', (t, o) => t.read(o.indices), false),
  tableEntry('readSync', (t, o) => t.readSync(o.indices), false),
  tableEntry('write', (t, o) => t.write(o.indices, o.values), true),
  tableEntry('writeSync', (t, o) => { t.writeSync(o.indices, o.values); }, true),
  tableEntry('add', (t, o) => t.add(o, -0.5), true),
  tableEntry('addSync', (t, o) => { t.addSync(o, -0.5); }, true),
  ...(['fromValues', 'fromValuesSync'] as const).map(
    (name): Entry => ({
      name: `EmbeddingTable.${name}`,
      run: async ({ values }: { values: never }) => (await EmbeddingTable[name](values)).viewSync(0, rows),
      good: () => ({ values: { data: randoms(rows * width, 5), shape: [rows, width] } }),
      values: [{ path: 'values.data' }],
      ids: [],
      empty: [],
    }),
  ),
];

const entries = [...lossEntries, ...mindsporeEntries, ...samplerEntries, hits, ...tableEntries];

const read = (options: Options, path: string): unknown => path.split('.').reduce<unknown>((at, key) => (at as Options)[key], options);
function replaced(options: Options, path: string, value: unknown): Options {
  const [key = '', ...rest] = path.split('.');
  return { ...options, [key]: rest.length === 0 ? value : replaced(options[key] as Options, rest.join('.'), value) };
}
const last = (path: string): string => path.split('.').at(-1) as string;

const typeOf = (array: AnyArray): new (buffer: ArrayBufferLike | number, from?: number, length?: number) => AnyArray => array.constructor as never;
function offsetView(array: AnyArray): AnyArray {
  const around = new (typeOf(array))(array.length + 5);
  around.fill((typeof array[0] === 'bigint' ? 77n : 77) as never);
  around.set(array as never, 3);
  return around.subarray(3, 3 + array.length);
}
function sharedView(array: AnyArray): AnyArray {
  const view = new (typeOf(array))(new SharedArrayBuffer(array.byteLength + 8), 8, array.length);
  view.set(array as never);
  return view;
}
function detached(array: AnyArray): AnyArray {
  const copy = array.slice();
  structuredClone(copy.buffer, { transfer: [copy.buffer] });
  return copy;
}

/** What has the look of an array, or its memory, and is none. */
const noArrays = (type: typeof Float32Array | typeof Int32Array): object[] => [
  new Proxy(new type(6), {}),
  Object.create(type.prototype) as object,
  new DataView(new ArrayBuffer(24)),
  new ArrayBuffer(24),
  { length: 6 },
];

async function failure(run: () => unknown): Promise<Error & { code?: string }> {
  let result: unknown;
  try {
    result = await run();
  } catch (error) {
    return error as Error;
  }
  return expect.fail(`accepted: ${JSON.stringify(result)}`);
}

async function expectRefused(entry: Entry, options: Options, code: string, named: string): Promise<void> {
  const error = await failure(() => entry.run(options as never));
  expect(error.code, error.message).toBe(code);
  expect(error.message).toContain(named);
  expect(error).toBeInstanceOf(code === 'ERR_INVALID_ARG_TYPE' || code === 'ERR_DETACHED_BUFFER' ? TypeError : RangeError);
}

const middles = (length: number): number[] => [0, Math.floor(length / 2), length - 1];

describe.each(entries)('$name', (entry) => {
  const result = (options: Options): unknown => entry.run(options as never);
  const all: Argument[] = [...entry.values, ...entry.ids];

  it.each(all)('$path: an offset view, and shared memory', async ({ path }) => {
    const good = entry.good();
    const array = read(good, path) as AnyArray;
    const want = await result(entry.good());
    expect(await result(replaced(good, path, offsetView(array)))).toEqual(want);
    expect(await result(replaced(good, path, sharedView(array)))).toEqual(want);
  });

  it.each(all)('$path: a detached buffer', async ({ path }) => {
    const good = entry.good();
    const array = detached(read(good, path) as AnyArray);
    await expectRefused(entry, replaced(good, path, array), 'ERR_DETACHED_BUFFER', last(path));
  });

  it.each(entry.values)('$path: a wrong type', async ({ path, plain }) => {
    const wrong = [...noArrays(Float32Array), new Int32Array(6), new Uint8Array(6), new BigInt64Array(6), 'x', true, 5n, {}];
    const strings = plain ? [['1', '2'], [1, null]] : [[1, 2], ['x']];
    // A number is a scale for the upstream gradient.
    for (const value of [...wrong, ...strings, ...(last(path) === 'upstream' ? [] : [5])]) {
      await expectRefused(entry, replaced(entry.good(), path, value), 'ERR_INVALID_ARG_TYPE', last(path));
    }
  });

  it.each(entry.ids)('$path: a wrong type', async ({ path }) => {
    const wrong = [...noArrays(Int32Array), new Float32Array(6), new Uint32Array(6), new BigUint64Array(6), 'x', true, 5, 5n, {}, null, undefined];
    for (const value of wrong) await expectRefused(entry, replaced(entry.good(), path, value), 'ERR_INVALID_ARG_TYPE', last(path));
    const good = entry.good();
    const array = Array.from(read(good, path) as Int32Array);
    for (const at of middles(array.length)) {
      for (const value of [0.5, NaN, Infinity, -Infinity, 2 ** 53, '1', null, undefined, 1n]) {
        await expectRefused(entry, replaced(good, path, array.with(at, value as number)), 'ERR_INVALID_ARG_TYPE', `${last(path)}[${at}]`);
      }
    }
  });

  it.each(all.filter(({ anyLength }) => !anyLength))('$path: a wrong length', async ({ path, lengthCode = 'ERR_SHAPE_MISMATCH' }) => {
    const good = entry.good();
    const array = read(good, path) as AnyArray;
    for (const length of [array.length - 1, array.length + 1]) {
      const other = new (typeOf(array))(length);
      other.set(array.subarray(0, Math.min(length, array.length)) as never);
      await expectRefused(entry, replaced(good, path, other), lengthCode, '');
    }
  });

  it.each(entry.ids)('$path: an id out of range, first, in the middle and last', async ({ path, limit, width: columns }) => {
    const good = entry.good();
    const array = Array.from(read(good, path) as Int32Array);
    for (const at of middles(array.length)) {
      const place = columns === 1 ? `[${at}]` : `[${Math.floor(at / columns)}, ${at % columns}]`;
      for (const id of [limit ?? 2 ** 40, -1, 2 ** 31, -(2 ** 31), 2 ** 53 - 1]) {
        const numbers = array.with(at, id);
        const forms = [numbers, BigInt64Array.from(numbers, BigInt), ...(id === (id | 0) ? [Int32Array.from(numbers)] : [])];
        for (const ids of forms) {
          if (limit === undefined) await result(replaced(good, path, ids));
          else await expectRefused(entry, replaced(good, path, ids), 'ERR_OUT_OF_RANGE', `${last(path)}${place}`);
        }
      }
      if (limit !== undefined) {
        const ids = BigInt64Array.from(array, BigInt);
        ids[at] = -(2n ** 63n);
        await expectRefused(entry, replaced(good, path, ids), 'ERR_OUT_OF_RANGE', `${-(2n ** 63n)}`);
      }
    }
  });

  it.each(entry.values)('$path: NaN and infinities', async ({ path, finite }) => {
    for (const value of [NaN, Infinity, -Infinity]) {
      const good = entry.good();
      const array = (read(good, path) as Float32Array).slice();
      for (const at of middles(array.length)) {
        const changed = array.slice();
        changed[at] = value;
        const options = replaced(good, path, changed);
        if (finite) await expectRefused(entry, options, 'ERR_INVALID_ARG_VALUE', `${last(path)}[${at}]`);
        else expect(Object.keys((await result(options)) as object)).toEqual(Object.keys((await result(entry.good())) as object));
      }
    }
  });

  it.each(entry.empty)('$title', async ({ options, check }) => {
    check((await result(options())) as never);
  });

  it('after all that, the same as ever', async () => {
    const good = entry.good();
    const [first, again] = [await result(good), await result(good)];
    expect(again).toEqual(first);
    expect(good).toEqual(entry.good());
  });
});

describe('view', () => {
  it.each([
    ['start', [8, 0]],
    ['start', [-1, 1]],
    ['count', [0, 8]],
    ['count', [6, 2]],
    ['count', [0, -1]],
    ['count', [1, 2 ** 53 - 1]],
  ] as const)('refuses a %s that leaves the table: %o', async (name, [start, count]) => {
    for (const form of ['view', 'viewSync'] as const) {
      const error = await failure(() => table()[form](start, count));
      expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE', message: expect.stringContaining(name) });
    }
  });
  it('refuses what is no integer', async () => {
    for (const value of ['0', 0.5, NaN, Infinity, 1n, null, undefined, {}]) {
      expect((await failure(() => table().view(value as never, 1))).code).toBe('ERR_INVALID_ARG_TYPE');
      expect((await failure(() => table().viewSync(0, value as never))).code).toBe('ERR_INVALID_ARG_TYPE');
    }
  });
  it('of nothing is empty', () => {
    expect(table().viewSync(7, 0)).toEqual(new Float32Array(0));
    expect(EmbeddingTable.createSync({ rows: 0, dim: 3 }).viewSync(0, 0)).toEqual(new Float32Array(0));
    expect(EmbeddingTable.createSync({ rows: 3, dim: 0 }).viewSync(0, 3)).toEqual(new Float32Array(0));
  });
});

describe.each(lossEntries)('gradients.out of $name', (entry) => {
  const good = (): Options => ({ ...entry.good(), gradients: { mode: 'dense' } });
  const lengths = { inputs: batch * dim, weights: numClasses * dim, biases: numClasses };
  const run = (out: Options): Promise<{ gradients: Options }> => entry.run({ ...good(), gradients: { mode: 'dense', out } } as never) as never;

  it.each(Object.entries(lengths))('%s: offset and shared views are written where they begin, and nowhere else', async (name, length) => {
    const { gradients } = (await entry.run(good() as never)) as { gradients: Options };
    const around = new Float32Array(length + 5).fill(77);
    const results = await run({ [name]: around.subarray(3, 3 + length) });
    expect(results.gradients[name]).toBeInstanceOf(Float32Array);
    expect(around.slice(3, 3 + length)).toEqual(gradients[name]);
    expect([...around.slice(0, 3), ...around.slice(3 + length)]).toEqual([77, 77, 77, 77, 77]);
    const shared = sharedView(new Float32Array(length));
    await run({ [name]: shared });
    expect(shared.slice()).toEqual(gradients[name]);
  });
  it.each(Object.entries(lengths))('%s: what cannot be written to is refused before anything is written', async (name, length) => {
    const other = name === 'inputs' ? 'biases' : 'inputs';
    const kept = new Float32Array(lengths[other]).fill(77);
    const cases: [unknown, string][] = [
      [detached(new Float32Array(length)), 'ERR_DETACHED_BUFFER'],
      [new Float64Array(length), 'ERR_INVALID_ARG_TYPE'],
      [Array.from({ length }, () => 0), 'ERR_INVALID_ARG_TYPE'],
      [null, 'ERR_INVALID_ARG_TYPE'],
      [new Float32Array(length - 1), 'ERR_SHAPE_MISMATCH'],
      [new Float32Array(length + 1), 'ERR_SHAPE_MISMATCH'],
    ];
    for (const [value, code] of cases) {
      expect((await failure(() => run({ [name]: value, [other]: kept }))).code).toBe(code);
    }
    expect(kept.every((x) => x === 77)).toBe(true);
  });
});

it('losses refuse a disposed table, and a sampler that has been disposed', async () => {
  const gone = EmbeddingTable.createSync({ rows: numClasses, dim });
  gone.dispose();
  const sampler = new UniformSampler({ rangeMax: numClasses, numSampled: 4 });
  sampler.dispose();
  for (const entry of lossEntries) {
    expect((await failure(() => entry.run({ ...entry.good(), weights: gone } as never))).code).toBe('ERR_DISPOSED');
    if (entry.name.startsWith('softmaxLoss')) continue;
    const { sampledValues: _, ...options } = entry.good();
    expect((await failure(() => entry.run({ ...options, sampler } as never))).code).toBe('ERR_DISPOSED');
  }
});

it('ids may be random ones of any form', async () => {
  const ids = randomIds(6, numClasses, 9);
  for (const entry of lossEntries) {
    const results = [ids, Array.from(ids), BigInt64Array.from(ids, BigInt), { data: ids, shape: [3, 2] }].map((labels) => entry.run({ ...entry.good(), labels } as never));
    const [first, ...others] = await Promise.all(results);
    for (const other of others) expect(other).toEqual(first);
  }
});
