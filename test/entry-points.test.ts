/**
 * Every entry point of the package with every kind of array that can go wrong: views, shared and detached memory, wrong
 * types and lengths, ids out of range, numbers that are none, and nothing at all. entry-point-table.ts says what there is.
 */
import { describe, expect, it } from 'vitest';
import { EmbeddingTable, UniformSampler } from '../lib/index.ts';
import { randomIds } from './arrays.ts';
import {
  batch,
  dim,
  entries,
  lossEntries,
  numClasses,
  table,
  type AnyArray,
  type Argument,
  type Entry,
  type Options,
} from './entry-point-table.ts';

const read = (options: Options, path: string): unknown => path.split('.').reduce<unknown>((at, key) => (at as Options)[key], options);
function replaced(options: Options, path: string, value: unknown): Options {
  const [key = '', ...rest] = path.split('.');
  return { ...options, [key]: rest.length === 0 ? value : replaced(options[key] as Options, rest.join('.'), value) };
}
const last = (path: string): string => path.split('.').at(-1) as string;

const typeOf = (array: AnyArray): new (buffer: ArrayBufferLike | number, from?: number, length?: number) => AnyArray =>
  array.constructor as never;
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
    const strings = plain
      ? [
          ['1', '2'],
          [1, null],
        ]
      : [[1, 2], ['x']];
    // A number is a scale for the upstream gradient.
    for (const value of [...wrong, ...strings, ...(last(path) === 'upstream' ? [] : [5])]) {
      await expectRefused(entry, replaced(entry.good(), path, value), 'ERR_INVALID_ARG_TYPE', last(path));
    }
  });

  it.each(entry.ids)('$path: a wrong type', async ({ path }) => {
    const wrong = [
      ...noArrays(Int32Array),
      new Float32Array(6),
      new Uint32Array(6),
      new BigUint64Array(6),
      'x',
      true,
      5,
      5n,
      {},
      null,
      undefined,
    ];
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
  const run = (out: Options): Promise<{ gradients: Options }> =>
    entry.run({ ...good(), gradients: { mode: 'dense', out } } as never) as never;

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
      ...noArrays(Float32Array).map((value): [unknown, string] => [value, 'ERR_INVALID_ARG_TYPE']),
      [null, 'ERR_INVALID_ARG_TYPE'],
      [new Float32Array(length - 1), 'ERR_SHAPE_MISMATCH'],
      [new Float32Array(length + 1), 'ERR_SHAPE_MISMATCH'],
    ];
    for (const [value, code] of cases) {
      const error = await failure(() => run({ [name]: value, [other]: kept }));
      expect(error.code, error.message).toBe(code);
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
    const results = [ids, Array.from(ids), BigInt64Array.from(ids, BigInt), { data: ids, shape: [3, 2] }].map((labels) =>
      entry.run({ ...entry.good(), labels } as never),
    );
    const [first, ...others] = await Promise.all(results);
    for (const other of others) expect(other).toEqual(first);
  }
});
