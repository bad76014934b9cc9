/** Tables: what they hold when new, rows in and out, sums added, dtypes, disposal, and calls that overlap. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EmbeddingTable, setThreads, type DType, type Initializer } from '../lib/index.ts';
import { isTable, tableHandle } from '../lib/embedding-table.ts';
import { generator, randoms } from './arrays.ts';
import { sized } from './device.ts';

const sha = (view: ArrayBufferView): string =>
  createHash('sha256')
    .update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    .digest('hex')
    .slice(0, 16);

const whole = <D extends DType>(table: EmbeddingTable<D>) => table.viewSync(0, table.rows);

/** 16-bit numbers as float32, by their definition. */
function fromBits(bits: number, dtype: 'float16' | 'bfloat16'): number {
  if (dtype === 'bfloat16') return new Float32Array(Uint32Array.of(bits << 16).buffer)[0] as number;
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * (1 + fraction / 1024) * 2 ** (exponent - 15) : (sign * fraction) / 2 ** 24;
}

/** The nearest 16-bit number, ties to even, by comparing the two neighbours; infinity stands where the next one would. */
function toBits(value: number, dtype: 'float16' | 'bfloat16'): number {
  const infinity = dtype === 'bfloat16' ? 0x7f80 : 0x7c00;
  let [low, high] = [0, infinity];
  const size = Math.abs(value);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fromBits(middle, dtype) <= size) low = middle;
    else high = middle;
  }
  const next = high === infinity ? 2 * fromBits(low, dtype) - fromBits(low - 1, dtype) : fromBits(high, dtype);
  const [below, above] = [size - fromBits(low, dtype), next - size];
  const nearest = below < above ? low : above < below ? high : low % 2 === 0 ? low : high;
  return nearest | (value < 0 || Object.is(value, -0) ? 0x8000 : 0);
}

const store = { float32: Math.fround, float64: (x: number): number => x };

describe('a new table', () => {
  it('holds zeros by default', async () => {
    const table = await EmbeddingTable.create({ rows: 5, dim: 3 });
    expect([table.rows, table.dim, table.dtype]).toEqual([5, 3, 'float32']);
    expect(whole(table)).toEqual(new Float32Array(15));
  });

  it.each([
    [{ init: 'uniform', dtype: 'float32' }, '819fe7b3a8db4820'],
    [{ init: { type: 'uniform', min: -1, max: 3 }, dtype: 'float64' }, '911d4506cdce4c32'],
    [{ init: 'normal', dtype: 'float32' }, 'dd42fa350494aa01'],
    [{ init: { type: 'normal', mean: 2, stddev: 3 }, dtype: 'bfloat16' }, '1cd18428bde7ad91'],
    [{ init: 'truncatedNormal', dtype: 'float32' }, '07b8ae5ed611ac30'],
    [{ init: { type: 'truncatedNormal', mean: 0, stddev: 1 }, dtype: 'float16' }, '6ea86a0519a7b50c'],
    [{ init: 'glorotUniform', dtype: 'float32' }, '4ee0a5fb5f0c7f50'],
  ] satisfies [{ init: Initializer; dtype: DType }, string][])('%j: the same bits from the same seed', async (options, hash) => {
    const hashes = new Set<string>();
    for (const threads of [1, 2, 3, 8]) {
      setThreads(threads);
      hashes.add(sha(whole(await EmbeddingTable.create({ rows: 3001, dim: 17, seed: 42, ...options }))));
      hashes.add(sha(whole(EmbeddingTable.createSync({ rows: 3001, dim: 17, seed: 42n, ...options }))));
    }
    expect([...hashes]).toEqual([hash]);
    expect(sha(whole(EmbeddingTable.createSync({ rows: 3001, dim: 17, seed: 43, ...options })))).not.toBe(hash);
  });

  it('is random without a seed, and knows negative and 64-bit seeds', () => {
    const make = (seed?: number | bigint): string => sha(whole(EmbeddingTable.createSync({ rows: 9, dim: 9, init: 'normal', seed })));
    expect(make()).not.toBe(make());
    expect(make(-1)).toBe(make(2n ** 64n - 1n));
    expect(make(2n ** 63n)).toBe(make(-(2n ** 63n)));
  });

  it('has the moments and bounds of its distribution', () => {
    const moments = (init: Initializer, rows = 200_000): [number, number, number, number] => {
      const values = whole(EmbeddingTable.createSync({ rows, dim: 1, dtype: 'float64', init, seed: 7 }));
      const mean = values.reduce((a, b) => a + b, 0) / rows;
      const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / rows);
      return [mean, deviation, values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    };
    const [uniformMean, uniformDeviation, least, greatest] = moments('uniform');
    expect(uniformMean).toBeCloseTo(0, 3);
    expect(uniformDeviation).toBeCloseTo(0.1 / Math.sqrt(12), 3);
    expect([least >= -0.05, least < -0.0499, greatest <= 0.05, greatest > 0.0499]).toEqual([true, true, true, true]);
    const [mean, deviation] = moments({ type: 'normal', mean: 10, stddev: 2 });
    expect(mean).toBeCloseTo(10, 1);
    expect(deviation).toBeCloseTo(2, 1);
    const [, truncated, from, to] = moments({ type: 'truncatedNormal', stddev: 1 });
    expect(truncated).toBeCloseTo(0.8796, 2);
    expect([from >= -2, to <= 2, to > 1.99]).toEqual([true, true, true]);
    const limit = Math.sqrt(6 / 200_001);
    expect(moments('glorotUniform')[3] / limit).toBeCloseTo(1, 3);
  });

  it('may have no rows or no columns', async () => {
    for (const [rows, dim] of [
      [0, 4],
      [4, 0],
      [0, 0],
    ] as const) {
      const table = await EmbeddingTable.create({ rows, dim, init: 'normal' });
      const indices = rows ? [0, 3] : [];
      expect(await table.read(indices)).toEqual(new Float32Array(indices.length * dim));
      await table.write(indices, new Float32Array(0));
      await table.add({ indices, values: new Float32Array(0) });
      expect(whole(table)).toHaveLength(0);
    }
  });

  it('copies values, of any dtype, view and shared memory', async () => {
    const numbers = randoms(12, 5);
    const padded = new Float32Array(16);
    padded.set(numbers, 3);
    const shared = new Float32Array(new SharedArrayBuffer(48));
    shared.set(numbers);
    for (const data of [numbers, padded.subarray(3, 15), shared]) {
      const table = await EmbeddingTable.fromValues({ data, shape: [4, 3] });
      expect([table.rows, table.dim, table.dtype]).toEqual([4, 3, 'float32']);
      expect(whole(table)).toEqual(numbers);
    }
    const biases = EmbeddingTable.fromValuesSync({ data: Float64Array.of(1, 2), shape: [2] });
    expect([biases.rows, biases.dim, biases.dtype]).toEqual([2, 1, 'float64']);
    const bits = Uint16Array.of(0x3c00, 0x7e00, 0xfc00, 1);
    const half = EmbeddingTable.fromValuesSync({ data: bits, shape: [2, 2], dtype: 'float16' });
    expect(whole(half)).toEqual(bits);
    expect(half.readSync([1, 0])).toEqual(Float32Array.of(-Infinity, 2 ** -24, 1, NaN));
    const narrowed = EmbeddingTable.fromValuesSync({ data: numbers, shape: [4, 3] }, { dtype: 'bfloat16' });
    expect(whole(narrowed)).toEqual(Uint16Array.from(numbers, (x) => toBits(x, 'bfloat16')));
  });
});

describe('read, write and view', () => {
  it.each(['float32', 'float64', 'float16', 'bfloat16'] as const)('%s: rows come back as they were rounded', async (dtype) => {
    const table = await EmbeddingTable.create({ rows: 50, dim: 5, dtype });
    const values = randoms(15, 8, 1, Float64Array);
    await table.write([49, 0, 7], values);
    const rounded = (x: number): number =>
      dtype === 'float32' || dtype === 'float64' ? store[dtype](x) : fromBits(toBits(x, dtype), dtype);
    const expected = Array.from(values, rounded);
    const got = await table.read(BigInt64Array.of(7n, 49n, 7n, 1n));
    expect(got.constructor).toBe(dtype === 'float64' ? Float64Array : Float32Array);
    const row = (k: number): number[] => expected.slice(5 * k, 5 * k + 5);
    expect([...got]).toEqual([...row(2), ...row(0), ...row(2), 0, 0, 0, 0, 0]);
    expect(table.readSync({ data: Int32Array.of(7, 49, 7, 1), shape: [4] })).toEqual(got);
    const view = await table.view(49, 1);
    expect(view).toEqual(table.viewSync(49, 1));
    if (dtype === 'float16' || dtype === 'bfloat16') expect([...view]).toEqual(Array.from(values.subarray(0, 5), (x) => toBits(x, dtype)));
    else expect([...view]).toEqual(row(0));
    expect(await table.view(50, 0)).toHaveLength(0);
  });

  it('gives arrays whose types follow from the dtype', () => {
    const float64: Float64Array = EmbeddingTable.createSync({ rows: 1, dim: 1, dtype: 'float64' }).readSync([0]);
    const float32: Float32Array = EmbeddingTable.createSync({ rows: 1, dim: 1 }).viewSync(0, 1);
    const bits: Uint16Array = EmbeddingTable.createSync({ rows: 1, dim: 1, dtype: 'float16' }).viewSync(0, 1);
    const any: EmbeddingTable[] = [
      EmbeddingTable.createSync({ rows: 1, dim: 1 }),
      EmbeddingTable.fromValuesSync({ data: float64, shape: [1] }),
    ];
    expect([float64.length, float32.length, bits.length, any.length]).toEqual([1, 1, 1, 2]);
  });

  it('rounds float64 to 16 bits once, ties to even', () => {
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const step = dtype === 'float16' ? 2 ** -11 : 2 ** -8; // half of the distance between 1 and its successor
      const tricky = Float64Array.of(
        1 + step,
        1 + step + 2 ** -40,
        1 + step - 2 ** -40,
        1 + 3 * step,
        -1 - step - 2 ** -50,
        1e300,
        -1e-300,
        65519.99,
        65520,
      );
      const table = EmbeddingTable.createSync({ rows: 1, dim: tricky.length, dtype });
      table.writeSync([0], tricky);
      expect([...whole(table)]).toEqual(Array.from(tricky, (x) => toBits(x, dtype)));
    }
  });

  it('lets NaN and infinities through', () => {
    const table = EmbeddingTable.createSync({ rows: 2, dim: 2 });
    table.writeSync([1], Float32Array.of(NaN, -Infinity));
    table.addSync({ indices: [1, 0], values: Float32Array.of(1, Infinity, NaN, 1) });
    expect(whole(table)).toEqual(Float32Array.of(NaN, 1, NaN, NaN));
  });

  it('holds more than 2^32 elements, most of them untouched', async ({ skip }) => {
    const [rows, dim] = [2 ** 26 + 3, 64];
    const table = await EmbeddingTable.create({ rows, dim, dtype: 'bfloat16' }).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
      return skip('8 GiB are not available');
    });
    const last = randoms(64, 1);
    await table.write([rows - 1], last);
    await table.add({ indices: [rows - 1, rows - 2], values: new Float32Array(128).fill(2) }, 0.5);
    const expected = Array.from(last, (x) => fromBits(toBits(fromBits(toBits(x, 'bfloat16'), 'bfloat16') + 1, 'bfloat16'), 'bfloat16'));
    expect([...(await table.read([rows - 1]))]).toEqual(expected);
    expect([...(await table.read([rows - 2, 0]))]).toEqual([...new Array<number>(64).fill(1), ...new Array<number>(64).fill(0)]);
    table.dispose();
  });
});

describe('add', () => {
  const next = generator(3);
  const [rows, dim, count] = [40, 300, 200];
  const indices = Int32Array.from({ length: count }, () => Math.floor(next() * 37));

  for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
    for (const Type of [Float32Array, Float64Array]) {
      it(`${dtype} += ${Type.name}: the sum of a row's values in their order, rounded once`, async () => {
        const values = randoms<Float32Array | Float64Array>(count * dim, 4, 1, Type);
        const options = { rows, dim, dtype, init: { type: 'normal', stddev: 1 }, seed: 1 } as const;
        const start = EmbeddingTable.createSync({ ...options });
        const before = start.readSync(Int32Array.from({ length: rows }, (_, r) => r));
        const sums = new Map<number, Float64Array>();
        indices.forEach((row, k) => {
          const sum = sums.get(row) ?? new Float64Array(dim);
          sum.forEach((x, d) => (sum[d] = x + (values[k * dim + d] as number)));
          sums.set(row, sum);
        });
        const expected = Array.from(before, (x, i) => {
          const sum = sums.get(Math.floor(i / dim))?.[i % dim];
          const y = sum === undefined ? x : x + -0.3 * sum;
          return dtype === 'float16' || dtype === 'bfloat16' ? toBits(y, dtype) : store[dtype](y);
        });
        for (const threads of [1, 2, 8]) {
          setThreads(threads);
          const table = EmbeddingTable.createSync({ ...options });
          if (threads === 1) table.addSync({ indices, values }, -0.3);
          else await table.add({ indices, values, denseShape: [rows, dim], count }, -0.3);
          expect([...whole(table)]).toEqual(expected);
        }
      });
    }
  }

  it('gives the same bits for merged rows as for rows that do not repeat', () => {
    const unique = [...new Set(indices)];
    const values = randoms(unique.length * 2, 9);
    const [a, b] = [EmbeddingTable.createSync({ rows, dim: 2 }), EmbeddingTable.createSync({ rows, dim: 2 })];
    a.addSync({ indices: unique, values }, 0.1);
    const order = unique.map((row, k) => ({ row, k })).sort((x, y) => x.row - y.row);
    b.addSync(
      { indices: order.map(({ row }) => row), values: Float32Array.from(order.flatMap(({ k }) => [values[2 * k]!, values[2 * k + 1]!])) },
      0.1,
    );
    expect(whole(a)).toEqual(whole(b));
  });
});

describe('calls that overlap', () => {
  it('run in their order, on arguments as they were', async () => {
    const table = await EmbeddingTable.create({ rows: 1000, dim: 64 });
    const indices = Int32Array.from({ length: 1000 }, (_, r) => r);
    const values = new Float32Array(64_000).fill(1);
    const written = table.write(indices, values);
    const before = table.read(indices);
    values.fill(2);
    const added = table.add({ indices, values }, 3);
    values.fill(NaN);
    structuredClone(values.buffer, { transfer: [values.buffer] });
    indices.fill(-1);
    const after = table.read([0, 999]);
    await Promise.all([written, added]);
    expect(new Set(await before)).toEqual(new Set([1]));
    expect(new Set(await after)).toEqual(new Set([7]));
  });

  it('keep a disposed table until they have ended', async () => {
    const table = await EmbeddingTable.create({ rows: 2000, dim: 256, init: { type: 'uniform', min: 5, max: 5 } });
    const reads = [0, 1, 2].map(() => table.read([1999]));
    const view = table.view(0, 2000);
    table.dispose();
    table.dispose();
    for (const read of reads) expect(new Set(await read)).toEqual(new Set([5]));
    expect(new Set(await view)).toEqual(new Set([5]));
    await expect(table.read([0])).rejects.toMatchObject({ code: 'ERR_DISPOSED', message: 'EmbeddingTable: it has been disposed' });
    expect(() => table.readSync([0])).toThrow('disposed');
    expect(() => table.writeSync([0], new Float32Array(256))).toThrow('disposed');
    expect(() => table.viewSync(0, 1)).toThrow('disposed');
    expect(() => table.addSync({ indices: [], values: new Float32Array(0) })).toThrow('disposed');
    expect(() => table.token()).toThrow('disposed');
    expect(() => tableHandle(table)).toThrow('disposed');
    expect(isTable(table)).toBe(true);
    expect(table.rows).toBe(2000);
  });

  it('leave the event loop free', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    // One takes a GPU two milliseconds.
    const calls = Array.from({ length: sized(1, 1, 32) }, () => EmbeddingTable.create({ rows: 200_000, dim: 64, init: 'normal' }));
    const tables = await Promise.all(calls);
    clearInterval(timer);
    for (const table of tables) table.dispose();
    expect(ticks).toBeGreaterThan(3);
  });

  it('dispose with using', () => {
    let kept: EmbeddingTable;
    {
      using table = EmbeddingTable.createSync({ rows: 1, dim: 1 });
      kept = table;
    }
    expect(() => kept.readSync([0])).toThrow('disposed');
  });
});
