/** What tables accept and refuse: each wrong argument is named with its position and value, before anything is written. */
import { describe, expect, it } from 'vitest';
import { EmbeddingTable, SampledSoftmaxError, type TableOptions } from '../lib/index.ts';
import { isTable } from '../lib/embedding-table.ts';

const detached = new Float32Array(4);
structuredClone(detached.buffer, { transfer: [detached.buffer] });

/** Where tables are that name no device: the vitest project 'cuda' runs this file too. */
const defaultDevice = EmbeddingTable.createSync({ rows: 0, dim: 0 }).device;

type Wrong = [unknown, new (...args: never[]) => Error, string, string];

function expectError(error: unknown, [, type, code, message]: Wrong): void {
  expect(error).toBeInstanceOf(type);
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toContain(message);
}

function thrown(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.fail('nothing was thrown');
}

describe('create', () => {
  const good = { rows: 4, dim: 2 };
  const wrong: Wrong[] = [
    [undefined, TypeError, 'ERR_INVALID_ARG_TYPE', 'expected an options object, got undefined'],
    [{ ...good, Dim: 3 }, TypeError, 'ERR_UNKNOWN_OPTION', "unknown option 'Dim'; did you mean 'dim'?"],
    [{ dim: 2 }, TypeError, 'ERR_INVALID_ARG_TYPE', 'rows: expected an integer, got undefined'],
    [{ ...good, rows: -1 }, RangeError, 'ERR_OUT_OF_RANGE', 'rows: expected an integer in [0, 9007199254740991], got -1'],
    [{ ...good, rows: 2 ** 60 }, RangeError, 'ERR_OUT_OF_RANGE', 'rows: expected an integer in [0, 9007199254740991], got 115292150460684'],
    [{ ...good, dim: 1.5 }, TypeError, 'ERR_INVALID_ARG_TYPE', 'dim: expected an integer, got 1.5'],
    [
      { ...good, dtype: 'int8' },
      RangeError,
      'ERR_INVALID_ARG_VALUE',
      "dtype: expected one of 'float32', 'float64', 'float16', 'bfloat16', got 'int8'",
    ],
    [
      { ...good, init: 'ones' },
      RangeError,
      'ERR_INVALID_ARG_VALUE',
      "init: expected one of 'zeros', 'uniform', 'normal', 'truncatedNormal', 'glorotUniform', got 'ones'",
    ],
    [{ ...good, init: 3 }, TypeError, 'ERR_INVALID_ARG_TYPE', 'init: expected one of'],
    [{ ...good, init: {} }, TypeError, 'ERR_INVALID_ARG_TYPE', 'init.type: expected one of'],
    [
      { ...good, init: { type: 'uniform', mean: 1 } },
      TypeError,
      'ERR_UNKNOWN_OPTION',
      "init: unknown option 'mean'; known options: type, min, max",
    ],
    [
      { ...good, init: { type: 'uniform', min: 1, max: 0 } },
      RangeError,
      'ERR_INVALID_ARG_VALUE',
      'init: expected min <= max, a finite number apart, got 1 and 0',
    ],
    [{ ...good, init: { type: 'uniform', min: -1e308, max: 1e308 } }, RangeError, 'ERR_INVALID_ARG_VALUE', 'a finite number apart'],
    [
      { ...good, init: { type: 'normal', stddev: -1 } },
      RangeError,
      'ERR_INVALID_ARG_VALUE',
      'init.stddev: expected a number of at least 0, got -1',
    ],
    [
      { ...good, init: { type: 'truncatedNormal', mean: NaN } },
      RangeError,
      'ERR_INVALID_ARG_VALUE',
      'init.mean: expected a finite number, got NaN',
    ],
    [{ ...good, init: { type: 'normal', stddev: '1' } }, TypeError, 'ERR_INVALID_ARG_TYPE', "init.stddev: expected a number, got '1'"],
    [{ ...good, seed: 0.5 }, TypeError, 'ERR_INVALID_ARG_TYPE', 'seed: expected a safe integer or a bigint, got 0.5'],
    [{ ...good, seed: 2n ** 64n }, RangeError, 'ERR_OUT_OF_RANGE', 'seed: expected at most 64 bits, got 18446744073709551616n'],
    [
      { rows: 2 ** 40, dim: 2 ** 8 },
      SampledSoftmaxError,
      'ERR_OUT_OF_MEMORY',
      defaultDevice === 'cpu'
        ? 'a table of [1099511627776, 256] float32: needs 1125899906842624 bytes (1.05e+06 GiB), but this'
        : `a table of [1099511627776, 256] float32: CUDA: 1125899906842624 bytes on ${defaultDevice}, of whose`,
    ],
    [{ rows: 2 ** 52, dim: 2 ** 52 }, SampledSoftmaxError, 'ERR_OUT_OF_MEMORY', 'more bytes than can be addressed'],
  ];
  it.each(wrong)('%o', async (...row) => {
    const options = row[0] as TableOptions;
    expectError(
      thrown(() => EmbeddingTable.createSync(options)),
      row,
    );
    expectError(await EmbeddingTable.create(options).catch((error: unknown) => error), row);
  });
});

describe('fromValues', () => {
  const wrong: Wrong[] = [
    [
      new Float32Array(4),
      RangeError,
      'ERR_SHAPE_MISMATCH',
      'values: expected { data, shape } of shape [rows, dim] or [rows], got Float32Array(4)',
    ],
    [{ data: new Float32Array(8), shape: [2, 2, 2] }, RangeError, 'ERR_SHAPE_MISMATCH', 'got shape [2, 2, 2]'],
    [{ data: new Float32Array(8), shape: [2, 3] }, RangeError, 'ERR_SHAPE_MISMATCH', 'values: shape [2, 3] needs 6 elements, data has 8'],
    [{ data: new Uint16Array(8), shape: [2, 4] }, RangeError, 'ERR_INVALID_ARG_VALUE', 'values.dtype'],
    [{ data: detached, shape: [2, 2] }, TypeError, 'ERR_DETACHED_BUFFER', 'values.data: its buffer has been detached'],
    [[1, 2], TypeError, 'ERR_INVALID_ARG_TYPE', 'values: expected a Float32Array or Float64Array, got an array of 2'],
  ];
  it.each(wrong)('%o', async (...row) => {
    expectError(
      thrown(() => EmbeddingTable.fromValuesSync(row[0] as never)),
      row,
    );
    expectError(await EmbeddingTable.fromValues(row[0] as never).catch((error: unknown) => error), row);
  });
  it('names the function in which an option is unknown', async () => {
    const values = { data: new Float32Array(1), shape: [1] };
    const wrong = { rows: 1 } as never;
    expect(() => EmbeddingTable.fromValuesSync(values, wrong)).toThrow("EmbeddingTable.fromValuesSync: unknown option 'rows'");
    await expect(EmbeddingTable.fromValues(values, wrong)).rejects.toThrow("EmbeddingTable.fromValues: unknown option 'rows'");
  });
  it('sees memory that a getter takes away', () => {
    const data = new Float32Array(4);
    const shape = (): number[] => {
      structuredClone(data.buffer, { transfer: [data.buffer] });
      return [2, 2];
    };
    const values = Object.defineProperty({ data, shape: [2, 2] }, 'shape', { get: shape });
    expect(() => EmbeddingTable.fromValuesSync(values)).toThrow(expect.objectContaining({ code: 'ERR_DETACHED_BUFFER' }));
  });
  it('refuses an unknown dtype', () => {
    expect(() => EmbeddingTable.fromValuesSync({ data: new Float32Array(1), shape: [1] }, { dtype: 'x' as never })).toThrow(
      'dtype: expected one of',
    );
  });
});

describe('read, write, add and view', () => {
  const table = EmbeddingTable.createSync({ rows: 4, dim: 2 });
  const two = new Float32Array(4);

  const indices: Wrong[] = [
    [[4, 0], RangeError, 'ERR_OUT_OF_RANGE', 'indices[0]: row 4 is out of range [0, 4)'],
    [[0, -1], RangeError, 'ERR_OUT_OF_RANGE', 'indices[1]: row -1 is out of range [0, 4)'],
    [BigInt64Array.of(0n, 2n ** 40n), RangeError, 'ERR_OUT_OF_RANGE', 'indices[1]: row 1099511627776 is out of range [0, 4)'],
    [[0, 0.5], TypeError, 'ERR_INVALID_ARG_TYPE', 'indices[1]: expected an integer, got 0.5'],
    [
      new Float32Array(2),
      TypeError,
      'ERR_INVALID_ARG_TYPE',
      'indices: expected an Int32Array, a BigInt64Array or number[], got Float32Array(2)',
    ],
    [{ data: [0, 1, 2, 3], shape: [2, 2] }, RangeError, 'ERR_SHAPE_MISMATCH', 'indices: expected shape [n], got [2, 2]'],
    [undefined, TypeError, 'ERR_INVALID_ARG_TYPE', 'indices: expected'],
  ];
  it.each(indices)('indices %o', async (...row) => {
    const wrong = row[0] as never;
    expectError(
      thrown(() => table.readSync(wrong)),
      row,
    );
    expectError(
      thrown(() => table.writeSync(wrong, two)),
      row,
    );
    expectError(
      thrown(() => table.addSync({ indices: wrong, values: two })),
      row,
    );
    expectError(await table.read(wrong).catch((error: unknown) => error), row);
    expectError(await table.write(wrong, two).catch((error: unknown) => error), row);
    expectError(await table.add({ indices: wrong, values: two }).catch((error: unknown) => error), row);
  });

  const values: Wrong[] = [
    [new Float32Array(3), RangeError, 'ERR_SHAPE_MISMATCH', 'values: expected [2, 2] (indices by dim), got 3 elements'],
    [{ data: two, shape: [4, 1] }, RangeError, 'ERR_SHAPE_MISMATCH', 'values: expected [2, 2] (indices by dim), got shape [4, 1]'],
    [{ data: two, shape: [2, 2, 1] }, RangeError, 'ERR_SHAPE_MISMATCH', 'got shape [2, 2, 1]'],
    [detached, TypeError, 'ERR_DETACHED_BUFFER', 'values: its buffer has been detached'],
    [new Uint16Array(4), TypeError, 'ERR_INVALID_ARG_TYPE', 'values: expected a Float32Array or Float64Array, got Uint16Array(4)'],
    [[1, 2, 3, 4], TypeError, 'ERR_INVALID_ARG_TYPE', 'values: expected a Float32Array or Float64Array, got an array of 4'],
  ];
  it.each(values)('values %o', async (...row) => {
    const wrong = row[0] as never;
    expectError(
      thrown(() => table.writeSync([0, 1], wrong)),
      row,
    );
    expectError(
      thrown(() => table.addSync({ indices: [0, 1], values: wrong })),
      row,
    );
    expectError(await table.write([0, 1], wrong).catch((error: unknown) => error), row);
    expectError(await table.add({ indices: [0, 1], values: wrong }).catch((error: unknown) => error), row);
  });

  it('a row that is written twice', async () => {
    const row: Wrong = [null, RangeError, 'ERR_INVALID_ARG_VALUE', 'indices[3]: row 1 is written already by indices[1]'];
    const repeated = [3, 1, 2, 1, 3];
    expectError(
      thrown(() => table.writeSync(repeated, new Float32Array(10).fill(1))),
      row,
    );
    expectError(await table.write(repeated, new Float32Array(10).fill(1)).catch((error: unknown) => error), row);
  });

  const gradients: Wrong[] = [
    [two, TypeError, 'ERR_INVALID_ARG_TYPE', 'rowGradients: expected an options object, got Float32Array(4)'],
    [{ indices: [0, 1], values: two, rows: 4 }, TypeError, 'ERR_UNKNOWN_OPTION', "rowGradients: unknown option 'rows'"],
    [
      { indices: [0, 1], values: two, denseShape: [5, 2] },
      RangeError,
      'ERR_SHAPE_MISMATCH',
      'rowGradients.denseShape: the table is [4, 2], got [5, 2]',
    ],
    [
      { indices: [0, 1], values: two, denseShape: [4] },
      RangeError,
      'ERR_SHAPE_MISMATCH',
      'rowGradients.denseShape: the table is [4, 2], got [4]',
    ],
    [{ indices: [0, 1], values: two, count: 1 }, RangeError, 'ERR_SHAPE_MISMATCH', 'rowGradients.count: there are 2 indices, got 1'],
  ];
  it.each(gradients)('row gradients %o', (...row) => {
    expectError(
      thrown(() => table.addSync(row[0] as never)),
      row,
    );
  });

  it('a scale that is no number', async () => {
    const row: Wrong = [null, TypeError, 'ERR_INVALID_ARG_TYPE', "scale: expected a number, got '1'"];
    expectError(
      thrown(() => table.addSync({ indices: [0, 1], values: two }, '1' as never)),
      row,
    );
    expectError(await table.add({ indices: [0, 1], values: two }, '1' as never).catch((error: unknown) => error), row);
  });

  it.each([
    [[5, 0], 'start: expected an integer in [0, 4], got 5'],
    [[-1, 0], 'start: expected an integer in [0, 4], got -1'],
    [[3, 2], 'count: expected an integer in [0, 1], got 2'],
  ] as const)('view%j', async ([start, count], message) => {
    const row: Wrong = [null, RangeError, 'ERR_OUT_OF_RANGE', message];
    expectError(
      thrown(() => table.viewSync(start, count)),
      row,
    );
    expectError(await table.view(start, count).catch((error: unknown) => error), row);
  });

  it('nothing was written by any of these', () => {
    expect(table.viewSync(0, 4)).toEqual(new Float32Array(8));
  });

  it('offset views, shared memory and resizable buffers are read where they begin', async () => {
    const padded = Float32Array.of(9, 1, 2, 3, 4, 9);
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 2, 3, 4]);
    const resizable = new Float32Array(Reflect.construct(ArrayBuffer, [16, { maxByteLength: 64 }]) as ArrayBuffer);
    resizable.set([1, 2, 3, 4]);
    const ids = Int32Array.of(7, 3, 0, 7).subarray(1, 3);
    for (const source of [padded.subarray(1, 5), shared, resizable]) {
      const target = EmbeddingTable.createSync({ rows: 4, dim: 2 });
      target.writeSync(ids, source);
      const added = target.add({ indices: ids, values: source });
      if (source === resizable) (resizable.buffer as unknown as { resize(bytes: number): void }).resize(0);
      await added;
      expect(await target.read(ids)).toEqual(Float32Array.of(2, 4, 6, 8));
    }
  });
});

describe('what is no table', () => {
  it.each([undefined, null, 1, 'table', {}, [], new Map(), new Proxy({}, {}), Object.create(EmbeddingTable.prototype) as object])(
    '%o',
    (value) => {
      expect(isTable(value)).toBe(false);
      expect(() => void Reflect.construct(EmbeddingTable, [value])).toThrow('make one with EmbeddingTable.create');
      for (const method of ['readSync', 'viewSync', 'token', 'dispose'] as const) {
        expect(() => (EmbeddingTable.prototype[method] as () => void).call(value as never)).toThrow(TypeError);
      }
    },
  );

  it('cannot be made of one by changing its sizes', () => {
    const table = EmbeddingTable.createSync({ rows: 4, dim: 2 });
    expect(() => Object.assign(table, { rows: 2 ** 40 })).toThrow(TypeError);
    expect(() => table.readSync([2 ** 30])).toThrow('out of range [0, 4)');
  });

  it.each([
    [undefined, TypeError, 'ERR_INVALID_ARG_TYPE', 'token: expected an options object, got undefined'],
    [{}, TypeError, 'ERR_INVALID_ARG_TYPE', 'token.sampledSoftmaxTable: expected a string, got undefined'],
    [{ sampledSoftmaxTable: 'x', more: 1 }, TypeError, 'ERR_UNKNOWN_OPTION', "token: unknown option 'more'"],
    [{ sampledSoftmaxTable: '0'.repeat(32) }, SampledSoftmaxError, 'ERR_UNKNOWN_TOKEN', 'no table of this process has the token'],
  ] satisfies Wrong[])('token %o', (...row) => {
    expectError(
      thrown(() => EmbeddingTable.fromToken(row[0] as never)),
      row,
    );
  });
});
