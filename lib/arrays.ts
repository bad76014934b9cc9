/**
 * What may be passed as a matrix, a vector or ids, and what the package makes of it. A bare typed array is flat; an
 * object `{ data, shape, dtype? }` states its sizes, and they are checked.
 */
import { types } from 'node:util';
import { markAsUntransferable } from 'node:worker_threads';
import { binding } from './binding.ts';
import { makeError, native, show } from './errors.ts';

export type DType = 'float32' | 'float64' | 'float16' | 'bfloat16';

/** The numbers by which the addon knows the dtypes (native/core/dtype.h). */
export const dtypeCode: Record<DType, number> = { float32: 0, float64: 1, float16: 2, bfloat16: 3 };

/** `Float16Array` where the runtime has it (Node 24 and later). */
export interface Float16ArrayLike extends ArrayBufferView {
  readonly BYTES_PER_ELEMENT: number;
  readonly length: number;
  readonly [Symbol.toStringTag]: 'Float16Array';
}

/** Floating-point values; row-major where they form a matrix. 16-bit values without `Float16Array` come as bits in a `Uint16Array`. */
export type Values =
  | Float32Array
  | Float64Array
  | Float16ArrayLike
  | { readonly data: Float32Array | Float64Array | Float16ArrayLike; readonly shape: readonly number[]; readonly dtype?: DType }
  | { readonly data: Uint16Array; readonly shape: readonly number[]; readonly dtype: 'float16' | 'bfloat16' };

/** Counts and upstream gradients: plain numbers, or values of 32 or 64 bits. */
export type Numbers =
  | readonly number[]
  | Float32Array
  | Float64Array
  | { readonly data: Float32Array | Float64Array; readonly shape: readonly number[]; readonly dtype?: 'float32' | 'float64' };

/** Class ids. A plain array must hold safe integers. */
export type Ids =
  | Int32Array
  | BigInt64Array
  | readonly number[]
  | { readonly data: Int32Array | BigInt64Array | readonly number[]; readonly shape: readonly number[] };

/** Ids as the package holds them: a copy of its own, so that nobody can change them between check and use. */
export type OwnIds = Int32Array | BigInt64Array;

export type ValueData = Float32Array | Float64Array | Uint16Array | Float16ArrayLike;

/** A checked view of the caller's values. */
export interface ValueView {
  readonly data: ValueData;
  readonly dtype: DType;
  readonly length: number;
  /** As stated by the caller; undefined for a flat array. */
  readonly shape: readonly number[] | undefined;
}

// What a typed array really has, whatever properties somebody has given it.
const getter = (key: PropertyKey): (() => unknown) =>
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Int8Array.prototype), key)?.get as () => unknown;
const tagGetter = getter(Symbol.toStringTag);
const bufferGetter = getter('buffer');
const offsetGetter = getter('byteOffset');
const bytesGetter = getter('byteLength');
const lengthGetter = getter('length');

/** `'Float32Array'` and so on, of typed arrays of any realm; undefined for everything else, whatever it calls itself. */
export const typedArrayName = (value: unknown): string | undefined => tagGetter.call(value) as string | undefined;

export const bufferOf = (view: ArrayBufferView): ArrayBuffer => bufferGetter.call(view) as ArrayBuffer;
export const offsetOf = (view: ArrayBufferView): number => offsetGetter.call(view) as number;
export const bytesOf = (view: ArrayBufferView): number => bytesGetter.call(view) as number;
/** Elements of a typed array. */
export const sizeOf = (view: ArrayBufferView): number => lengthGetter.call(view) as number;

/** Throws where the array's buffer was transferred away. Only an empty one can be detached, so this costs nothing otherwise. */
export function checkAttached(name: string, view: ArrayBufferView): void {
  if (sizeOf(view) !== 0) return;
  try {
    new Uint8Array(bufferOf(view), 0, 0);
  } catch {
    throw makeError('ERR_DETACHED_BUFFER', `${name}: its buffer has been detached (transferred to another thread?)`);
  }
}

/** Throws where an array no longer has the length that it was read with: getters of other options may have taken its memory. */
export function checkLength(name: string, view: ArrayBufferView, length: number): void {
  if (sizeOf(view) === length) return;
  checkAttached(name, view);
  throw makeError('ERR_RESIZABLE_BUFFER', `${name}: had ${length} elements when it was read, and now has ${sizeOf(view)}`);
}

function copyShape(name: string, shape: unknown): readonly number[] {
  const copy = Array.isArray(shape) ? (Array.from(shape) as number[]) : undefined;
  if (!copy?.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    const shown = copy ? `[${copy.map(show).join(', ')}]` : show(shape);
    throw makeError('ERR_INVALID_ARG_TYPE', `${name}.shape: expected an array of non-negative integers, got ${shown}`);
  }
  return copy;
}

function checkShape(name: string, shape: readonly number[], length: number): void {
  const size = shape.reduce((a, b) => a * b, 1);
  if (size === length) return;
  throw makeError('ERR_SHAPE_MISMATCH', `${name}: shape [${shape.join(', ')}] needs ${size} elements, data has ${length}`);
}

const isWrapper = (value: unknown): value is { data: unknown; shape: unknown; dtype?: unknown } =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Array.isArray(value) && 'data' in value;

/** Elements of a typed array, a plain array, or the `data` of a wrapper; undefined for anything else. */
export function lengthOf(value: unknown): number | undefined {
  const data = isWrapper(value) ? value.data : value;
  return Array.isArray(data) || ArrayBuffer.isView(data) ? (data as { length?: number }).length : undefined;
}

/** Reads an argument of type {@link Values}. */
export function readValues(name: string, value: unknown): ValueView {
  const wrapped = isWrapper(value);
  const data = wrapped ? value.data : value;
  const stated = wrapped ? value.dtype : undefined;
  const kind = typedArrayName(data);
  let dtype: DType;
  if (kind === 'Float32Array') dtype = 'float32';
  else if (kind === 'Float64Array') dtype = 'float64';
  else if (kind === 'Float16Array') dtype = 'float16';
  else if (kind === 'Uint16Array' && wrapped) {
    if (stated !== 'float16' && stated !== 'bfloat16') {
      throw makeError('ERR_INVALID_ARG_VALUE', `${name}.dtype: a Uint16Array holds 'float16' or 'bfloat16', got ${show(stated)}`);
    }
    dtype = stated;
  } else {
    const where = wrapped ? `${name}.data` : name;
    const hint = kind === 'Uint16Array' ? " (16-bit values: { data, shape, dtype: 'float16' | 'bfloat16' })" : '';
    throw makeError('ERR_INVALID_ARG_TYPE', `${where}: expected a Float32Array or Float64Array, got ${show(data)}${hint}`);
  }
  if (stated !== undefined && stated !== dtype) {
    throw makeError('ERR_INVALID_ARG_VALUE', `${name}.dtype: data is a ${kind}, dtype says ${show(stated)}`);
  }
  const array = data as ValueData;
  const shape = wrapped ? copyShape(name, value.shape) : undefined; // before the length: a getter may take the memory
  checkAttached(wrapped ? `${name}.data` : name, array);
  const length = sizeOf(array);
  if (shape) checkShape(name, shape, length);
  return { data: array, dtype, length, shape };
}

/**
 * Ids that a synchronous call is done with, for the next one: a new array would cost a small step 2 %. Away while in use,
 * since a getter of the caller's may make a call within the call.
 */
let spareIds: Int32Array | undefined;

/** After a call that took `brief` ids. */
export function giveBackIds(ids: OwnIds): void {
  if (ids instanceof Int32Array && ids.length <= 8192) spareIds = ids;
}

function copyToSpare(ids: Int32Array): Int32Array {
  const spare = spareIds;
  if (spare?.length !== sizeOf(ids)) return new Int32Array(ids);
  spareIds = undefined;
  spare.set(ids);
  return spare;
}

/**
 * Reads an argument of type {@link Ids} into a copy, a `brief` one where only a synchronous call sees it. Fractions, strings
 * and unsafe integers are refused with their position.
 */
export function readIds(name: string, value: unknown, brief = false): { ids: OwnIds; shape: readonly number[] | undefined } {
  const wrapped = isWrapper(value);
  const data = wrapped ? value.data : value;
  const where = wrapped ? `${name}.data` : name;
  const kind = typedArrayName(data);
  let ids: OwnIds;
  if (kind === 'Int32Array') {
    checkAttached(where, data as Int32Array);
    ids = brief ? copyToSpare(data as Int32Array) : new Int32Array(data as Int32Array);
  } else if (kind === 'BigInt64Array') {
    checkAttached(where, data as BigInt64Array);
    ids = new BigInt64Array(data as BigInt64Array);
  } else if (Array.isArray(data)) {
    ids = fromNumbers(where, data);
  } else {
    throw makeError('ERR_INVALID_ARG_TYPE', `${where}: expected an Int32Array, a BigInt64Array or number[], got ${show(data)}`);
  }
  const shape = wrapped ? copyShape(name, value.shape) : undefined;
  if (shape) checkShape(name, shape, ids.length);
  return { ids, shape };
}

/** Position of the first id outside [0, limit), or -1. Where ids are numbers, a call of the addon would cost a small step 1 %. */
export function firstOutOfRange(ids: OwnIds, limit: number | bigint): number {
  if (ids instanceof BigInt64Array) return native(() => binding().firstOutOfRange(ids, BigInt(limit)));
  return firstAbove(ids, Math.min(Number(limit), 2 ** 31) - 1);
}

/** Position of the first id outside [0, last], or -1; a negative one is above 2^31 - 1 as an unsigned number. */
function firstAbove(ids: Int32Array, last: number): number {
  for (let i = 0, { length } = ids; i < length; i++) {
    if ((ids[i] as number) >>> 0 > last) return i;
  }
  return -1;
}

function fromNumbers(name: string, given: readonly unknown[]): OwnIds {
  const numbers = Array.from(given);
  let wide = false;
  for (let i = 0; i < numbers.length; i++) {
    const n = numbers[i];
    if (typeof n !== 'number' || !Number.isSafeInteger(n)) {
      throw makeError('ERR_INVALID_ARG_TYPE', `${name}[${i}]: expected an integer, got ${show(n)}`);
    }
    if (n !== (n | 0)) wide = true;
  }
  return wide ? BigInt64Array.from(numbers as number[], BigInt) : Int32Array.from(numbers as number[]);
}

/** Whether the buffer can shrink under a running call: those are refused where the package reads memory while JavaScript runs on. */
export function checkFixedLength(name: string, view: ArrayBufferView): void {
  const buffer = bufferOf(view) as ArrayBuffer & { resizable?: boolean };
  if (buffer.resizable === true) {
    throw makeError(
      'ERR_RESIZABLE_BUFFER',
      `${name}: a resizable ArrayBuffer could shrink while the call reads it; pass one of fixed length, an EmbeddingTable, or call the Sync form`,
    );
  }
}

/**
 * Makes later transfers of the buffer fail, so that memory in use by a call cannot be taken away. Node's mark stops
 * `structuredClone` and `postMessage`; `ArrayBuffer.prototype.transfer` (Node 22) does not know of it.
 */
export function pin(view: ArrayBufferView): void {
  const buffer = bufferOf(view);
  if (types.isSharedArrayBuffer(buffer)) return;
  markAsUntransferable(buffer);
  for (const method of ['transfer', 'transferToFixedLength']) {
    if (method in buffer && !Object.hasOwn(buffer, method)) Object.defineProperty(buffer, method, { value: refuseTransfer });
  }
}

function refuseTransfer(): never {
  throw makeError(
    'ERR_INVALID_ARG_VALUE',
    'the buffer was given to an asynchronous call of sampled-softmax, which may still use it: it cannot be transferred',
  );
}
