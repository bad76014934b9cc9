/// <reference lib="esnext.disposable" preserve="true" />
/** Gradients of class rows that stay in the memory of the device that computed them. */
import type { NativeGradients } from '../binding.d.ts';
import { binding } from './binding.ts';
import { makeError, native, settle } from './errors.ts';
import type { FloatArray, RowGradients } from './gradients.ts';

/** A native handle and how many of the objects below have a part of it. */
export interface SharedGradients {
  readonly handle: NativeGradients;
  users: number;
}

/** What the facade knows of an object's rows. */
export interface Kept {
  readonly shared: SharedGradients;
  /** Where they begin among those of the handle. */
  readonly first: number;
  readonly float64: boolean;
  readonly device: `cuda:${number}`;
  readonly indices: Int32Array | BigInt64Array;
  readonly denseShape: readonly number[];
}

// The module's own ways to the private parts. What the constructor is given is trusted, so nobody else may call it.
const own = Symbol('own');
let make: (kept: Kept) => DeviceRowGradients;
let keptOf: (gradients: DeviceRowGradients) => Kept | undefined;
let isOne: (value: unknown) => value is DeviceRowGradients;

/**
 * Merged gradients of a table's rows in the memory of its device, as `gradients: { mode: 'merged', onDevice: true }`
 * leaves them there: `table.add` takes them as they are, and nothing but indices moves. Memory is held until
 * {@link DeviceRowGradients.dispose}, or until the object is collected.
 *
 * @example
 * ```ts
 * using table = await EmbeddingTable.create({ rows: 1_000_000, dim: 128, init: 'glorotUniform', device: 'cuda' });
 * const { gradients } = await sampledSoftmaxLoss({ weights: table, ..., gradients: { mode: 'merged', onDevice: true } });
 * await table.add(gradients.weights, -0.1);
 * gradients.weights.dispose();
 * ```
 */
export class DeviceRowGradients<A extends FloatArray = FloatArray> {
  /** `[count]` the row of the table that each row of values belongs to, ascending. Kept by the host. */
  readonly indices: Int32Array | BigInt64Array;
  /** Shape of the table. */
  readonly denseShape: readonly number[];
  /** How many rows there are. */
  readonly count: number;
  /** Where the values are. */
  readonly device: `cuda:${number}`;
  #kept: Kept | undefined;

  static {
    make = (kept) => new DeviceRowGradients(kept, own);
    keptOf = (gradients) => gradients.#kept;
    isOne = (value): value is DeviceRowGradients => typeof value === 'object' && value !== null && #kept in value;
  }

  private constructor(kept: Kept, by: symbol) {
    if (by !== own) {
      throw makeError(
        'ERR_INVALID_ARG_TYPE',
        "DeviceRowGradients: the losses make them, with gradients: { mode: 'merged', onDevice: true }",
      );
    }
    this.#kept = kept;
    this.indices = kept.indices.slice();
    this.denseShape = kept.denseShape;
    this.count = kept.indices.length;
    this.device = kept.device;
    Object.freeze(this);
  }

  /**
   * A copy, as the losses give gradients without `onDevice`.
   *
   * @throws SampledSoftmaxError `ERR_DISPOSED`, `ERR_OUT_OF_MEMORY`, `ERR_DEVICE_FAILED`
   */
  async toHost(): Promise<RowGradients<A>> {
    const { kept, values } = this.#startCopy();
    await settle(() => binding().readGradientsAsync(kept.shared.handle, kept.first, values));
    return this.#copied(values);
  }

  /** {@link DeviceRowGradients.toHost}, at once. */
  toHostSync(): RowGradients<A> {
    const { kept, values } = this.#startCopy();
    native(() => {
      binding().readGradients(kept.shared.handle, kept.first, values);
    });
    return this.#copied(values);
  }

  #startCopy(): { kept: Kept; values: A } {
    const kept = keptRows(this);
    const length = this.count * (this.denseShape[1] ?? 1);
    try {
      return { kept, values: (kept.float64 ? new Float64Array(length) : new Float32Array(length)) as A };
    } catch (cause) {
      throw makeError('ERR_OUT_OF_MEMORY', `no typed array of ${length} elements can be made for the copy`, { cause });
    }
  }

  #copied(values: A): RowGradients<A> {
    return { indices: this.indices.slice(), values, denseShape: this.denseShape, count: this.count };
  }

  /** Gives the memory back once the calls that use it have ended; a second time does nothing. */
  dispose(): void {
    const shared = this.#kept?.shared;
    this.#kept = undefined;
    if (!shared || --shared.users > 0) return;
    native(() => {
      binding().disposeGradients(shared.handle);
    });
  }

  /** {@link DeviceRowGradients.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Rows of a loss's as an object for the caller. */
export const makeDeviceRowGradients = (kept: Kept): DeviceRowGradients => make(kept);

/** Whether a value is one of these objects, disposed or not. */
export const isDeviceRowGradients = (value: unknown): value is DeviceRowGradients => isOne(value);

/** What is behind an object, which is the argument `name`. Throws ERR_DISPOSED where there is nothing any more. */
export function keptRows(gradients: DeviceRowGradients, name = 'DeviceRowGradients'): Kept {
  const kept = keptOf(gradients);
  if (!kept) throw makeError('ERR_DISPOSED', `${name}: they have been disposed`);
  return kept;
}
