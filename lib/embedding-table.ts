/// <reference lib="esnext.disposable" preserve="true" />
/** Parameters in memory that the package owns: the class, and how the losses get at the addon's handle. */
import type { NativeGradients, NativeTable, NativeValues } from '../binding.d.ts';
import { dtypeCode, readValues, type DType, type Ids, type OwnIds, type Values } from './arrays.ts';
import { binding } from './binding.ts';
import { checkChoice, checkInteger, checkNumber, checkOptions } from './checks.ts';
import { isDeviceRowGradients, type DeviceRowGradients } from './device-row-gradients.ts';
import { chooseDevice, deviceName, type DeviceName } from './devices.ts';
import { makeError, native, settle, show } from './errors.ts';
import type { RowGradients } from './gradients.ts';
import type { Initializer } from './initializers.ts';
import { allocate, dtypes, readDeviceRows, readRows, readRowsToAdd, readRowValues, readTableOptions } from './table-arguments.ts';

export type { Initializer } from './initializers.ts';

// The module's own way to the private handle.
let handleOf: (table: EmbeddingTable) => NativeTable | undefined;
let hasHandle: (value: unknown) => value is EmbeddingTable;

/** Options of {@link EmbeddingTable.create}. */
export interface TableOptions<D extends DType = DType> {
  readonly rows: number;
  readonly dim: number;
  /** Default `'float32'`. */
  readonly dtype?: D | undefined;
  /** Default `'zeros'`. */
  readonly init?: Initializer | undefined;
  /** Of the initializer: an integer of at most 64 bits. The same one gives the same elements on every machine. Default: random. */
  readonly seed?: number | bigint | undefined;
  /** Whose memory holds the rows, with the same content on every one. Default `'auto'`: the host's, unless SAMPLED_SOFTMAX_DEVICE names another. */
  readonly device?: DeviceName | undefined;
}

/** {@link TableOptions} that say their dtype, unless a table without one, which is float32, is among those that `D` allows. */
export type CreateOptions<D extends DType> = TableOptions<D> & ('float32' extends D ? unknown : { readonly dtype: DType });

/** Options of {@link EmbeddingTable.fromValues}. */
export interface FromValuesOptions<D extends DType = DType> {
  /** Default: the dtype of the values. */
  readonly dtype?: D | undefined;
  /** As for {@link EmbeddingTable.create}. */
  readonly device?: DeviceName | undefined;
}

/** Names a table to another thread of the same process: a plain object that `postMessage` and `workerData` can carry. */
export interface TableToken {
  readonly sampledSoftmaxTable: string;
}

/** What rows are read into: float64 for a float64 table, otherwise float32. */
export type RowValues<D extends DType = DType> = D extends 'float64' ? Float64Array : Float32Array;

/** Elements as the table stores them; 16-bit ones as bits. */
export type StoredValues<D extends DType = DType> = D extends 'float32' ? Float32Array : D extends 'float64' ? Float64Array : Uint16Array;

/**
 * `[rows, dim]` parameters outside JavaScript's heap: weights, biases (dim 1) or inputs of a loss, which reads them
 * without a copy. More than 2^32 elements are possible. Memory is taken from the machine as it is touched, in huge pages
 * where Linux grants them; what the machine or its control group could not hold is refused at once.
 *
 * With `device: 'cuda'` the rows live in the memory of a CUDA device, and never move but where a method reads or writes
 * them: losses compute where their tables are (`device: 'auto'`), and a table of another device is refused. All methods
 * are the same there, and so is every bit of what they leave in the table.
 *
 * Promise forms run one after another, in the order of their calls, together with the losses; what they are given is
 * copied before they return. Sync forms run at once, after a call that is using the table but before those that wait.
 *
 * @example
 * ```ts
 * using table = await EmbeddingTable.create({ rows: 1_000_000, dim: 128, init: 'glorotUniform', seed: 1 });
 * const { gradients } = await sampledSoftmaxLoss({ weights: table, ..., gradients: { mode: 'merged' } });
 * await table.add(gradients.weights, -0.1);
 * ```
 */
export class EmbeddingTable<D extends DType = DType> {
  readonly rows: number;
  /** Elements of a row. */
  readonly dim: number;
  readonly dtype: D;
  /** Where the rows are. */
  readonly device: 'cpu' | `cuda:${number}`;
  #handle: NativeTable | undefined;

  static {
    handleOf = (table) => table.#handle;
    hasHandle = (value): value is EmbeddingTable => typeof value === 'object' && value !== null && #handle in value;
  }

  private constructor(handle: NativeTable) {
    const info = native(() => binding().tableInfo(handle));
    if (!info) {
      throw makeError('ERR_INVALID_ARG_TYPE', 'EmbeddingTable: make one with EmbeddingTable.create, createSync, fromValues or fromToken');
    }
    this.#handle = handle;
    this.rows = info.rows;
    this.dim = info.dim;
    this.dtype = dtypes[info.dtype] as D;
    this.device = deviceName(info.device);
    // Indices are checked against these sizes, so nobody may change them.
    Object.freeze(this);
  }

  /**
   * A new table.
   *
   * @throws SampledSoftmaxError `ERR_OUT_OF_MEMORY`, naming the bytes wanted and available, before anything is allocated
   * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError for a wrong option
   */
  static async create<const D extends DType = 'float32'>(options: CreateOptions<D>): Promise<EmbeddingTable<D>> {
    const call = readTableOptions('EmbeddingTable.create', options);
    return new EmbeddingTable<D>(await settle(() => binding().createTableAsync(...call)));
  }

  /** {@link EmbeddingTable.create}, filled before it returns. */
  static createSync<const D extends DType = 'float32'>(options: CreateOptions<D>): EmbeddingTable<D> {
    const call = readTableOptions('EmbeddingTable.createSync', options);
    return new EmbeddingTable<D>(native(() => binding().createTable(...call)));
  }

  /**
   * A table that holds a copy of `values`, taken before this returns.
   *
   * @param values - `{ data, shape }` with shape `[rows, dim]`, or `[rows]` for dim 1
   * @throws as {@link EmbeddingTable.create}
   */
  static async fromValues<const D extends DType = DType>(values: Values, options: FromValuesOptions<D> = {}): Promise<EmbeddingTable<D>> {
    const call = readFromValues('EmbeddingTable.fromValues', values, options);
    // In the host's memory the table is the copy.
    const now = call[4] === 0;
    return new EmbeddingTable<D>(
      now ? native(() => binding().tableFromValues(...call)) : await settle(() => binding().tableFromValuesAsync(...call)),
    );
  }

  /** {@link EmbeddingTable.fromValues}, at once. */
  static fromValuesSync<const D extends DType = DType>(values: Values, options: FromValuesOptions<D> = {}): EmbeddingTable<D> {
    const call = readFromValues('EmbeddingTable.fromValuesSync', values, options);
    return new EmbeddingTable<D>(native(() => binding().tableFromValues(...call)));
  }

  /**
   * Another handle of a table, in the same thread or another thread of the same process. Concurrent calls are safe: those
   * that write wait for those that read. Each handle is disposed by itself.
   *
   * @throws SampledSoftmaxError `ERR_UNKNOWN_TOKEN` where the process has no such table, or no longer
   */
  static fromToken<const D extends DType = DType>(token: TableToken): EmbeddingTable<D> {
    checkOptions('token', token, ['sampledSoftmaxTable']);
    const id: unknown = token.sampledSoftmaxTable;
    if (typeof id !== 'string') {
      throw makeError('ERR_INVALID_ARG_TYPE', `token.sampledSoftmaxTable: expected a string, got ${show(id)}`);
    }
    const handle = native(() => binding().tableFromToken(id));
    if (handle) return new EmbeddingTable<D>(handle);
    throw makeError(
      'ERR_UNKNOWN_TOKEN',
      `token: no table of this process has the token ${show(id)}; its last handle may have been disposed, or it comes from another process`,
    );
  }

  /** The table's token, for {@link EmbeddingTable.fromToken}: valid for as long as any handle of the table lives, so keep one until the other thread has taken its own. */
  token(): TableToken {
    const handle = tableHandle(this);
    return { sampledSoftmaxTable: native(() => binding().tableToken(handle)) };
  }

  /**
   * A copy of rows.
   *
   * @param indices - `[n]`, each in `[0, rows)`; repeats allowed
   * @returns `[n, dim]`; 16-bit elements are converted
   * @throws SampledSoftmaxRangeError `ERR_OUT_OF_RANGE` naming the first position and index outside
   */
  async read(indices: Ids): Promise<RowValues<D>> {
    const { handle, ids, out } = this.#startRead(indices);
    await settle(() => binding().readRowsAsync(handle, ids, out));
    return out;
  }

  /** {@link EmbeddingTable.read}, at once. */
  readSync(indices: Ids): RowValues<D> {
    const { handle, ids, out } = this.#startRead(indices);
    native(() => binding().readRows(handle, ids, out));
    return out;
  }

  #startRead(indices: Ids): { handle: NativeTable; ids: OwnIds; out: RowValues<D> } {
    const handle = tableHandle(this);
    const ids = readRows('indices', this, indices);
    const out = allocate(this.dtype === 'float64' ? 'float64' : 'float32', ids.length * this.dim);
    return { handle, ids, out: out as RowValues<D> };
  }

  /**
   * Replaces rows.
   *
   * @param indices - `[n]`, each in `[0, rows)`, none twice
   * @param values - `[n, dim]`, rounded to the table's dtype (to nearest, ties to even)
   * @throws SampledSoftmaxRangeError `ERR_OUT_OF_RANGE` naming the first position and index outside; `ERR_INVALID_ARG_VALUE`
   * naming both positions of a row that occurs twice; `ERR_SHAPE_MISMATCH` naming both sizes. Nothing is written then
   */
  async write(indices: Ids, values: Values): Promise<void> {
    const call = this.#startWrite(indices, values);
    await settle(() => binding().writeRowsAsync(...call));
  }

  /** {@link EmbeddingTable.write}, at once. */
  writeSync(indices: Ids, values: Values): void {
    const call = this.#startWrite(indices, values);
    native(() => binding().writeRows(...call));
  }

  #startWrite(indices: Ids, values: Values): [NativeTable, OwnIds, NativeValues] {
    const handle = tableHandle(this);
    const ids = readRows('indices', this, indices);
    const source = readRowValues('values', this, ids.length, values);
    const repeat = native(() => binding().firstRepeat(ids));
    if (repeat) {
      const [earlier, again] = repeat;
      throw makeError('ERR_INVALID_ARG_VALUE', `indices[${again}]: row ${ids[again]} is written already by indices[${earlier}]`);
    }
    return [handle, ids, source];
  }

  /**
   * A copy of consecutive rows, bit by bit.
   *
   * @returns `[count, dim]` in the table's own dtype; 16-bit elements as bits
   * @throws SampledSoftmaxRangeError `ERR_OUT_OF_RANGE` where the rows are not all in the table
   * @throws SampledSoftmaxError `ERR_OUT_OF_MEMORY` where the copy is larger than a typed array can be
   */
  async view(start: number, count: number): Promise<StoredValues<D>> {
    const { handle, out } = this.#startView(start, count);
    await settle(() => binding().viewRowsAsync(handle, start, count, out));
    return out;
  }

  /** {@link EmbeddingTable.view}, at once. */
  viewSync(start: number, count: number): StoredValues<D> {
    const { handle, out } = this.#startView(start, count);
    native(() => binding().viewRows(handle, start, count, out));
    return out;
  }

  #startView(start: number, count: number): { handle: NativeTable; out: StoredValues<D> } {
    const handle = tableHandle(this);
    checkInteger('start', start, 0, this.rows);
    checkInteger('count', count, 0, this.rows - start);
    return { handle, out: allocate(this.dtype, count * this.dim) as StoredValues<D> };
  }

  /**
   * `table[row] += scale * values` for each row of a sparse gradient, merged or not: values of a row that occurs more than
   * once are summed first, in their order. All in float64, then rounded once to the table's dtype (to nearest, ties to
   * even). The same bits for any number of threads.
   *
   * @param rowGradients - as the losses give them for this table: `indices` `[n]`, `values` `[n, dim]`, or
   * {@link DeviceRowGradients} of the table's own device
   * @param scale - for gradient descent the negative learning rate
   * @throws SampledSoftmaxRangeError `ERR_OUT_OF_RANGE` naming the first position and index outside; `ERR_SHAPE_MISMATCH`
   * naming both sizes; `ERR_INVALID_ARG_VALUE` where the gradients are on another device. Nothing is added then
   */
  async add(rowGradients: RowsToAdd, scale = 1): Promise<void> {
    if (isDeviceRowGradients(rowGradients)) {
      const call = this.#startAddGradients(rowGradients, scale);
      await settle(() => binding().addGradientsAsync(...call));
      return;
    }
    const call = this.#startAdd(rowGradients, scale);
    await settle(() => binding().addRowsAsync(...call));
  }

  /** {@link EmbeddingTable.add}, at once. */
  addSync(rowGradients: RowsToAdd, scale = 1): void {
    if (isDeviceRowGradients(rowGradients)) {
      const call = this.#startAddGradients(rowGradients, scale);
      native(() => binding().addGradients(...call));
      return;
    }
    const call = this.#startAdd(rowGradients, scale);
    native(() => binding().addRows(...call));
  }

  #startAdd(rowGradients: Exclude<RowsToAdd, DeviceRowGradients>, scale: number): [NativeTable, OwnIds, NativeValues, number] {
    const handle = tableHandle(this);
    checkNumber('scale', scale);
    const { ids, values } = readRowsToAdd(this, rowGradients);
    return [handle, ids, values, scale];
  }

  #startAddGradients(gradients: DeviceRowGradients, scale: number): [NativeTable, OwnIds, NativeGradients, number, number] {
    const handle = tableHandle(this);
    checkNumber('scale', scale);
    const { shared, first, indices } = readDeviceRows(this, gradients);
    return [handle, indices, shared.handle, first, scale];
  }

  /**
   * Gives the handle back; a second time does nothing. The memory is freed when the last handle of any thread is gone and
   * the calls that use the table have ended; a handle that is forgotten is collected with the object.
   */
  dispose(): void {
    const handle = this.#handle;
    if (!handle) return;
    this.#handle = undefined;
    native(() => binding().disposeTable(handle));
  }

  /** {@link EmbeddingTable.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What {@link EmbeddingTable.add} takes: a loss's {@link RowGradients}, or indices and values of one's own. */
export type RowsToAdd =
  | RowGradients
  | DeviceRowGradients
  | { readonly indices: Ids; readonly values: Values; readonly denseShape?: readonly number[]; readonly count?: number };

/** The arguments of the addon's tableFromValues. */
function readFromValues(where: string, values: Values, options: FromValuesOptions): [number, number, number, NativeValues, number] {
  checkOptions(where, options, ['dtype', 'device']);
  const { dtype: wanted, device } = options;
  const { data, dtype, shape } = readValues('values', values);
  if (shape?.length !== 2 && shape?.length !== 1) {
    const got = shape ? `shape [${shape.join(', ')}]` : show(values);
    throw makeError('ERR_SHAPE_MISMATCH', `values: expected { data, shape } of shape [rows, dim] or [rows], got ${got}`);
  }
  const [rows, dim = 1] = shape as [number, number?];
  const stored = wanted === undefined ? dtype : checkChoice('dtype', wanted, dtypes);
  const source = { data, dtype: dtypeCode[dtype] };
  return [rows, dim, dtypeCode[stored], source, chooseDevice('device', device)];
}

/** Whether a value is an {@link EmbeddingTable}, disposed or not. */
export const isTable = (value: unknown): value is EmbeddingTable => hasHandle(value);

/** The addon's handle of a table, which is the argument `name`. Throws ERR_DISPOSED where there is none any more. */
export function tableHandle(table: EmbeddingTable, name = 'EmbeddingTable'): NativeTable {
  const handle = handleOf(table);
  if (!handle) throw makeError('ERR_DISPOSED', `${name}: ${name === 'EmbeddingTable' ? 'it' : 'the table'} has been disposed`);
  return handle;
}
