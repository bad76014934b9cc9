/**
 * Gradients of class rows: which form the caller asked for, and the arrays that hold them. Sparse ones are indices and
 * values (TensorFlow's IndexedSlices), so a step costs what it touches and not what the table holds.
 */
import type { NativeGradients, NativeRowPlan } from '../binding.d.ts';
import { bufferOf, checkAttached, checkFixedLength, offsetOf, pin, sizeOf, typedArrayName, type Numbers } from './arrays.ts';
import { checkBoolean, checkChoice, checkOptions } from './checks.ts';
import { makeDeviceRowGradients, type DeviceRowGradients, type SharedGradients } from './device-row-gradients.ts';
import { makeError, show } from './errors.ts';
import { fewBytes, newBuffer, type Room } from './room.ts';

export type FloatArray = Float32Array | Float64Array;

/**
 * `'sparse'`: one row per use of a class, unmerged, in TensorFlow's order (labels row-major, then the sampled ids).
 * `'merged'`: one row per class that occurs, sorted by id. `'dense'`: a row for every class (with dim 0
 * at most 2^32 of them, as for the full softmax).
 */
export type GradientMode = 'sparse' | 'merged' | 'dense';

const gradientModes: readonly GradientMode[] = ['sparse', 'merged', 'dense'];

/**
 * Rows of a sparse gradient, as TensorFlow's IndexedSlices. With mode `'sparse'` all new arrays of a result but its losses are
 * views of one buffer: where you pass `buffer` on, pass `byteOffset` and `length` on too, and copy what you keep for long.
 */
export interface RowGradients<A extends FloatArray = FloatArray> {
  /** `[count]` row of the parameter that each row of `values` belongs to; local to the shard where it is sharded. `BigInt64Array` only where the parameter has more than 2^31 - 1 rows. */
  readonly indices: Int32Array | BigInt64Array;
  /** `[count, dim]` for weights, `[count]` for biases. */
  readonly values: A;
  /** Shape of the parameter (or of the shard). */
  readonly denseShape: readonly number[];
  /** How many rows there are. */
  readonly count: number;
}

/** Arrays that the caller supplies for a row gradient. */
export interface RowGradientsOut {
  /** `[count]`; any greater length will do where the sample decides the count: merged, or spread over shards. `Int32Array` unless the parameter has more than 2^31 - 1 rows. */
  readonly indices: Int32Array | BigInt64Array;
  /** `[count, width]`, or more, as above. */
  readonly values: FloatArray;
}

/**
 * Arrays of the caller's own that gradients are written to, instead of new ones. Each may be left out. The `gradients` of an
 * earlier call of the same form and sizes will do: they are overwritten.
 */
export interface GradientOut {
  /** `[batch, dim]` */
  readonly inputs?: FloatArray | undefined;
  /** Of one parameter, or one per shard: indices and values, or with `'dense'` an array. */
  readonly weights?: RowGradientsOut | FloatArray | readonly (RowGradientsOut | FloatArray)[] | undefined;
  readonly biases?: RowGradientsOut | FloatArray | readonly (RowGradientsOut | FloatArray)[] | undefined;
}

/** What may be asked of a loss's gradients. */
export interface GradientOptions {
  /** Gradient of what follows the loss: with reduction `'none'` one number per row (or one for all), otherwise a number. Default 1. */
  readonly upstream?: number | Numbers;
  /** Form of the gradients of weights and biases. Default `'sparse'`. */
  readonly mode?: GradientMode;
  /** Arrays to write to. Undefined content after an error or an abort. */
  readonly out?: GradientOut;
  /**
   * Leaves the gradients of weights and biases on the device, as {@link DeviceRowGradients} that `table.add` takes: for mode
   * `'merged'`, where all of them are tables on that device. Default false.
   */
  readonly onDevice?: boolean;
}

export interface GradientRequest {
  readonly mode: GradientMode;
  readonly upstream: unknown;
  readonly out: ReadOut;
  readonly onDevice: boolean;
}

/** The `out` option as it was read, once; its arrays have still to be checked. Of a sharded parameter a list, one per shard. */
interface ReadOut {
  readonly inputs: unknown;
  readonly weights: unknown;
  readonly biases: unknown;
}

const noOut: ReadOut = { inputs: undefined, weights: undefined, biases: undefined };

/** How many shards a parameter has; undefined where it is whole. */
export type Shards = number | undefined;

/** Reads the `gradients` option; undefined where none are wanted. `biases` null: there are none. */
export function readGradientRequest(
  value: unknown,
  weights: Shards,
  biases: Shards | null,
  modes: readonly GradientMode[] = gradientModes,
): GradientRequest | undefined {
  if (value === undefined || value === false) return undefined;
  const fallback = modes[0] as GradientMode;
  if (value === true) return { mode: fallback, upstream: undefined, out: noOut, onDevice: false };
  checkOptions('gradients', value, ['upstream', 'mode', 'out', 'onDevice']);
  const { mode: wanted, upstream, out, onDevice } = value as Record<string, unknown>;
  const mode = wanted === undefined ? fallback : checkChoice('gradients.mode', wanted, modes);
  const request = {
    mode,
    upstream,
    out: out === undefined ? noOut : readOut(out, mode, weights, biases),
    onDevice: onDevice === undefined ? false : checkBoolean('gradients.onDevice', onDevice),
  };
  if (request.onDevice && mode !== 'merged') {
    throw makeError('ERR_INVALID_ARG_VALUE', `gradients.onDevice: only gradients of mode 'merged' stay on a device, got ${show(mode)}`);
  }
  return request;
}

function readOut(out: unknown, mode: GradientMode, weightShards: Shards, biasShards: Shards | null): ReadOut {
  checkOptions('gradients.out', out, ['inputs', 'weights', 'biases']);
  const { inputs, weights, biases } = out as Record<string, unknown>;
  if (biases !== undefined && biasShards === null) {
    throw makeError('ERR_INVALID_ARG_VALUE', `gradients.out.biases: got ${show(biases)}, but biases were left out`);
  }
  return {
    inputs,
    weights: readParameterOut('gradients.out.weights', weights, mode, weightShards),
    biases: readParameterOut('gradients.out.biases', biases, mode, biasShards ?? undefined),
  };
}

function readParameterOut(name: string, given: unknown, mode: GradientMode, shards: Shards): unknown {
  if (given === undefined || shards === undefined) return readPartOut(name, given, mode);
  const list = Array.isArray(given) ? Array.from(given as unknown[]) : undefined;
  if (list?.length !== shards) {
    throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected an array of ${shards}, one per shard, got ${show(given)}`);
  }
  return list.map((part, shard) => readPartOut(`${name}[${shard}]`, part, mode));
}

/** An array where the mode is dense, otherwise indices and values; an earlier call's gradients will do as they are. */
function readPartOut(name: string, given: unknown, mode: GradientMode): unknown {
  if (given === undefined || mode === 'dense') return given;
  checkOptions(name, given, ['indices', 'values', 'denseShape', 'count']);
  const { indices, values } = given as Record<string, unknown>;
  return { indices, values };
}

export interface NamedArray {
  readonly name: string;
  readonly view: ArrayBufferView;
}

/** One call's arithmetic, and the caller's arrays that it writes to. */
export class Outputs {
  readonly float64: boolean;
  readonly asynchronous: boolean;
  /** The caller's arrays among the outputs. */
  readonly borrowed: NamedArray[] = [];
  /** Where arrays are made, while there is room. */
  room: Room | undefined;

  constructor(float64: boolean, asynchronous: boolean) {
    this.float64 = float64;
    this.asynchronous = asynchronous;
  }

  /**
   * An array whose elements are not yet anything: the kernels write every one, and zeros would cost a tenth of a small
   * step. A few zeros cost less than an uninitialised buffer.
   */
  make(length: number): FloatArray {
    if (this.room?.has(length, this.float64 ? 8 : 4)) return this.float64 ? this.room.float64(length) : this.room.float32(length);
    const type = this.float64 ? Float64Array : Float32Array;
    try {
      const bytes = length * type.BYTES_PER_ELEMENT;
      return bytes > fewBytes ? new type(newBuffer(bytes), 0, length) : new type(length);
    } catch (cause) {
      throw makeError('ERR_OUT_OF_MEMORY', `not enough memory for a result of ${length} elements`, { cause });
    }
  }

  /** The caller's array, checked, or a new one. `capacity`: a longer one will do, and its beginning is used. */
  take(name: string, given: unknown, length: number, capacity: boolean): FloatArray {
    if (given === undefined) return this.make(length);
    const wanted = this.float64 ? Float64Array : Float32Array;
    if (typedArrayName(given) !== wanted.name) {
      throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected a ${wanted.name}, got ${show(given)}`);
    }
    const view = given as FloatArray;
    this.borrow(name, view, length, capacity);
    return sizeOf(view) === length ? view : new wanted(bufferOf(view), offsetOf(view), length);
  }

  takeIndices(name: string, given: unknown, indices: Int32Array | BigInt64Array, capacity: boolean): Int32Array | BigInt64Array {
    const wanted = indices instanceof Int32Array ? Int32Array : BigInt64Array;
    if (typedArrayName(given) !== wanted.name) {
      throw makeError(
        'ERR_INVALID_ARG_TYPE',
        `${name}: expected ${indices instanceof Int32Array ? 'an' : 'a'} ${wanted.name}, got ${show(given)}`,
      );
    }
    const view = given as Int32Array | BigInt64Array;
    this.borrow(name, view, indices.length, capacity);
    return new wanted(bufferOf(view), offsetOf(view), indices.length);
  }

  private borrow(name: string, view: ArrayBufferView, length: number, capacity: boolean): void {
    checkAttached(name, view);
    const size = sizeOf(view);
    if (capacity ? size < length : size !== length) {
      const wanted = capacity ? `at least ${length}` : `${length}`;
      throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected ${wanted} elements, got ${size}`);
    }
    if (this.asynchronous) {
      checkFixedLength(name, view);
      pin(view);
    }
    this.borrowed.push({ name, view });
  }
}

export interface ParameterGradient {
  /** What the kernels write, and how it is laid out; null where they leave it on the device. */
  readonly values: FloatArray | null;
  readonly plan: NativeRowPlan;
  /** What the result holds; called after the native call, with the handle of what it left on the device. */
  readonly finish: (kept?: NativeGradients) => GradientForm | GradientForm[];
}

type GradientForm = RowGradients | FloatArray | DeviceRowGradients;

/** Sizes of the parameter that a gradient belongs to. `width` undefined: a vector. */
export interface ParameterShape {
  readonly rows: number;
  readonly width: number | undefined;
  readonly shardRows: readonly number[];
  readonly sharded: boolean;
}

/** Allocates the gradient of a parameter as `plan` lays it out. */
export function parameterGradient(
  name: string,
  plan: NativeRowPlan,
  mode: GradientMode,
  shape: ParameterShape,
  outputs: Outputs,
  given: unknown,
): ParameterGradient {
  const width = shape.width ?? 1;
  const where = `gradients.out.${name}`;
  if (!shape.sharded) {
    const part = takePart(where, given, mode, plan.numRows, width, plan.indices, outputs, mode === 'merged');
    return { values: part.values, plan, finish: () => part.finish(denseShape(shape.rows, shape)) };
  }
  // The kernels write one array; each shard's part is a piece of it, copied only into arrays of the caller's own.
  const values = outputs.make(plan.numRows * width);
  const parts = shape.shardRows.map((rows, shard) => {
    const from = plan.shardStart[shard] as number;
    const to = plan.shardStart[shard + 1] as number;
    const piece = values.subarray(from * width, to * width);
    const indices = mode === 'dense' ? plan.indices : plan.indices.subarray(from, to);
    const own = (given as unknown[] | undefined)?.[shard];
    if (own === undefined) return (): RowGradients | FloatArray => rowGradients(mode, indices, piece, denseShape(rows, shape));
    const part = takePart(`${where}[${shard}]`, own, mode, to - from, width, indices, outputs, mode !== 'dense');
    return (): RowGradients | FloatArray => {
      part.values.set(piece);
      return part.finish(denseShape(rows, shape));
    };
  });
  return { values, plan, finish: () => parts.map((finish) => finish()) };
}

/** The gradient of a parameter that stays on the device, laid out as `plan` says. */
export function keptGradient(plan: NativeRowPlan, shape: ParameterShape, device: `cuda:${number}`, float64: boolean): ParameterGradient {
  const part = (shared: SharedGradients, shard: number): DeviceRowGradients => {
    const first = plan.shardStart[shard] as number;
    const indices = plan.indices.subarray(first, plan.shardStart[shard + 1]);
    const rows = shape.sharded ? (shape.shardRows[shard] as number) : shape.rows;
    return makeDeviceRowGradients({ shared, first, float64, device, indices, denseShape: denseShape(rows, shape) });
  };
  const finish = (kept?: NativeGradients): DeviceRowGradients | DeviceRowGradients[] => {
    if (!kept) throw makeError('ERR_INTERNAL', 'sampled-softmax: the device kept no gradients');
    const shared = { handle: kept, users: shape.sharded ? shape.shardRows.length : 1 };
    return shape.sharded ? shape.shardRows.map((_, shard) => part(shared, shard)) : part(shared, 0);
  };
  return { values: null, plan, finish };
}

const denseShape = (rows: number, shape: ParameterShape): readonly number[] => (shape.width === undefined ? [rows] : [rows, shape.width]);

function rowGradients(
  mode: GradientMode,
  indices: Int32Array | BigInt64Array,
  values: FloatArray,
  shape: readonly number[],
): RowGradients | FloatArray {
  return mode === 'dense' ? values : { indices, values, denseShape: shape, count: indices.length };
}

function takePart(
  name: string,
  given: unknown,
  mode: GradientMode,
  rows: number,
  width: number,
  indices: Int32Array | BigInt64Array,
  outputs: Outputs,
  capacity: boolean,
): { values: FloatArray; finish: (shape: readonly number[]) => RowGradients | FloatArray } {
  if (given === undefined || mode === 'dense') {
    const values = outputs.take(name, given, rows * width, false);
    return { values, finish: (shape) => rowGradients(mode, indices, values, shape) };
  }
  const own = given as { indices?: unknown; values?: unknown };
  const values = outputs.take(`${name}.values`, own.values ?? null, rows * width, capacity);
  const ownIndices = outputs.takeIndices(`${name}.indices`, own.indices, indices, capacity);
  return {
    values,
    finish: (shape) => {
      ownIndices.set(indices as Int32Array & BigInt64Array);
      return rowGradients(mode, ownIndices, values, shape);
    },
  };
}
