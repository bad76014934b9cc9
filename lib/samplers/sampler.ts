/** What all candidate samplers are: a thin class over a native sampler that owns its state. */
import type { NativeSampler, NativeSamplerOptions } from '../../binding.d.ts';
import { firstOutOfRange, readIds, type Ids, type OwnIds } from '../arrays.ts';
import { binding } from '../binding.ts';
import { checkChoice, checkInteger, checkOptions } from '../checks.ts';
import { makeError, native, show } from '../errors.ts';
import { batchOf } from '../losses/prepare.ts';
import type { SampledValues } from '../losses/types.ts';
import { Room } from '../room.ts';
import { readSeed, type SamplerSeed } from './seed.ts';
import { packState, unpackState, type SamplerState } from './state.ts';

/** Options that the samplers on TensorFlow's generator share. */
export interface SamplerOptions<R extends number | bigint = number> {
  /** Classes are `[0, rangeMax)`. A number, up to 2^31 - 1, gives ids in an `Int32Array`. */
  readonly rangeMax: R;
  /** Classes per draw, 1 to 2^28. */
  readonly numSampled: number;
  /** No class twice in a draw, by rejection. Default true. */
  readonly unique?: boolean | undefined;
  /** Default: random. */
  readonly seed?: SamplerSeed | undefined;
  /** `'tensorflow'`: for `numSampled` of 2^20 and more, the int32 overflow in TensorFlow's skip from draw to draw. */
  readonly compat?: 'tensorflow' | undefined;
}

/**
 * {@link SamplerOptions} as a parameter: `valueOf` has `R` inferred as `number` or `bigint`. From `rangeMax` alone it would be
 * the literal, and a variable would take samplers of one range only.
 */
export type WidenedOptions<R extends number | bigint> = SamplerOptions<R> & {
  readonly rangeMax: { valueOf(): R } | { valueOf(): unknown };
};

/** Arguments of {@link CandidateSampler.sample}. */
export interface SampleOptions {
  /** `[batch, numTrue]` classes in `[0, rangeMax)`; `[batch]` will do where `numTrue` is 1. May be empty. */
  readonly trueClasses: Ids;
  /** Default 1. */
  readonly numTrue?: number | undefined;
}

/** Where `rangeMax` is a bigint, ids are 64 bits wide. */
export type IdsOf<R extends number | bigint> = R extends bigint ? BigInt64Array : Int32Array;

/** One draw. Its arrays are views of one buffer. */
export interface Sample<R extends number | bigint = number> {
  /** `[numSampled]` */
  readonly sampledCandidates: IdsOf<R>;
  /** `[batch, numTrue]` how often each true class was to be expected in the draw. */
  readonly trueExpectedCount: Float32Array;
  /** `[numSampled]` the same for the sampled classes. */
  readonly sampledExpectedCount: Float32Array;
  /** Single draws taken, rejected ones included; `numSampled` where repeats are allowed. */
  readonly numTries: number;
}

/** The numbers by which the addon knows the samplers, and the names that their states carry. */
const kinds = ['uniform', 'log-uniform', 'learned-unigram', 'fixed-unigram', 'all-candidate', 'mindspore-uniform'] as const;

/** What the constructor is told goes to the addon as it is, so only the package's samplers may call it. */
export const own: unique symbol = Symbol('own');

/** What a subclass tells the constructor. */
export interface SamplerSetup<R extends number | bigint> {
  readonly kind: (typeof kinds)[number];
  readonly rangeMax: R;
  readonly numSampled: number;
  readonly unique?: boolean;
  readonly seeds?: readonly [bigint, bigint];
  readonly tensorflowSkip?: boolean;
  readonly avoidTrueClasses?: boolean;
  readonly fixed?: NativeSamplerOptions['fixed'];
  /** Whether some classes have the probability 0: they cannot be true classes, whose count would be 0. */
  readonly mayBeImpossible?: boolean;
}

/**
 * A candidate sampler: draws the classes that a sampled loss compares the true ones with. It owns its state, which every
 * draw advances; two samplers never share anything.
 */
export abstract class CandidateSampler<R extends number | bigint = number | bigint> {
  /** Classes are `[0, rangeMax)`. */
  readonly rangeMax: R;
  /** Classes per draw. */
  readonly numSampled: number;
  /** Whether a draw holds no class twice. */
  readonly unique: boolean;
  readonly #kind: (typeof kinds)[number];
  readonly #mayBeImpossible: boolean;
  readonly #handle: NativeSampler;

  protected constructor(by: symbol, setup: SamplerSetup<R>) {
    if (by !== own) throw makeError('ERR_INVALID_ARG_TYPE', 'CandidateSampler: make one of the samplers that the package has');
    const { kind, rangeMax, numSampled, unique = true, seeds = [0n, 0n] } = setup;
    this.rangeMax = rangeMax;
    this.numSampled = numSampled;
    this.unique = unique;
    // The losses take the number of classes from here, and the native sampler draws from a range of its own.
    for (const name of ['rangeMax', 'numSampled', 'unique']) Object.defineProperty(this, name, { writable: false, configurable: false });
    this.#kind = kind;
    this.#mayBeImpossible = setup.mayBeImpossible ?? false;
    this.#handle = native(() =>
      binding().createSampler({
        kind: kinds.indexOf(kind),
        rangeMax: BigInt(rangeMax),
        numSampled,
        unique,
        seed: seeds[0],
        seed2: seeds[1],
        tensorflowSkip: setup.tensorflowSkip ?? false,
        avoidTrueClasses: setup.avoidTrueClasses ?? false,
        fixed: setup.fixed ?? null,
      }),
    );
  }

  /**
   * The next draw.
   *
   * @throws SampledSoftmaxRangeError `ERR_OUT_OF_RANGE` for a true class outside `[0, rangeMax)`, or one that is never
   * drawn because its weight is 0; `ERR_SHAPE_MISMATCH` where the shape is not `[batch, numTrue]`
   * @throws SampledSoftmaxError `ERR_DRAW_LIMIT` where 2^28 + 16 * numSampled tries did not find enough distinct classes
   * (the sampler has advanced by one draw then, and has learned nothing); `ERR_DISPOSED`
   */
  sample(options: SampleOptions): Sample<R> {
    checkOptions('sample', options, ['trueClasses', 'numTrue']);
    const numTrue = options.numTrue === undefined ? 1 : checkInteger('numTrue', options.numTrue, 1, 2 ** 31 - 1);
    const { ids, shape } = readIds('trueClasses', options.trueClasses);
    batchOf('trueClasses', ids.length, shape, numTrue);
    const at = firstOutOfRange(ids, this.rangeMax);
    if (at >= 0) throw badClass('trueClasses', ids, at, numTrue, `is out of range [0, ${this.rangeMax})`);
    return CandidateSampler.draw(this, 'trueClasses', ids, numTrue);
  }

  /** What later draws depend on, as a plain object that survives JSON. */
  state(): SamplerState {
    return packState(
      this.#kind,
      this.rangeMax,
      native(() => binding().samplerState(this.#handle)),
    );
  }

  /**
   * Makes the next draw what it was when `state` was taken, from this sampler or another with the same options
   * (the seed apart).
   *
   * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a state that is none, or of another kind of sampler; the
   * sampler is unchanged then
   */
  restore(state: SamplerState): void {
    const unpacked = unpackState(state, this.#kind, this.rangeMax);
    native(() => {
      binding().restoreSampler(this.#handle, unpacked);
    });
  }

  /** Frees the native memory now. May be called again; everything else throws `ERR_DISPOSED` from then on. */
  dispose(): void {
    native(() => {
      binding().disposeSampler(this.#handle);
    });
  }

  /** {@link CandidateSampler.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  static is(value: unknown): value is CandidateSampler {
    return typeof value === 'object' && value !== null && #handle in value;
  }

  /** @internal A draw for true classes that are known to be in range, under the name that the caller gave them. */
  static draw<R extends number | bigint>(
    sampler: CandidateSampler<R>,
    name: string,
    ids: OwnIds,
    numTrue: number,
    given?: Room,
  ): Sample<R> {
    const handle = sampler.#handle;
    if (sampler.#mayBeImpossible) {
      const at = native(() => binding().firstImpossibleClass(handle, ids));
      if (at >= 0) throw badClass(name, ids, at, numTrue, 'has the weight 0, or next to it, and so the expected count 0');
    }
    const { numSampled } = sampler;
    const wide = typeof sampler.rangeMax === 'bigint';
    const room = given ?? new Room('a draw', sampleBytes(sampler, ids));
    const sampledCandidates = wide ? room.bigInt64(numSampled) : room.int32(numSampled);
    const sampledExpectedCount = room.float32(numSampled);
    const trueExpectedCount = room.float32(ids.length);
    const numTries = native(() => binding().drawSample(handle, ids, sampledCandidates, trueExpectedCount, sampledExpectedCount));
    return { sampledCandidates: sampledCandidates as IdsOf<R>, trueExpectedCount, sampledExpectedCount, numTries };
  }
}

/** Whether `value` is one of the package's samplers. */
export function isSampler(value: unknown): value is CandidateSampler {
  return CandidateSampler.is(value);
}

/** What a draw for `ids` takes of a room. */
export function sampleBytes({ rangeMax, numSampled }: CandidateSampler, ids: OwnIds): number {
  const counts = Room.bytesFor(numSampled, 4) + Room.bytesFor(ids.length, 4);
  return Room.bytesFor(numSampled, typeof rangeMax === 'bigint' ? 8 : 4) + counts;
}

/** A draw for a loss's labels, which have been checked. */
export function drawFor(
  sampler: CandidateSampler,
  labels: OwnIds,
  numTrue: number,
  room: Room | undefined,
): SampledValues & { readonly numTries: number } {
  return CandidateSampler.draw(sampler, 'labels', labels, numTrue, room);
}

function badClass(name: string, ids: OwnIds, at: number, numTrue: number, what: string): Error {
  const place = numTrue === 1 ? `${at}` : `${Math.floor(at / numTrue)}, ${at % numTrue}`;
  return makeError('ERR_OUT_OF_RANGE', `${name}[${place}]: class ${ids[at]} ${what}`);
}

/** Names of the options in {@link SamplerOptions}. */
export const samplerOptions: readonly string[] = ['rangeMax', 'numSampled', 'unique', 'seed', 'compat'];

/** The largest `numSampled`. */
export const maxSampled: number = 2 ** 28;

/** Reads {@link SamplerOptions}; `wide`: a bigint will do for the range. */
export function readSamplerOptions<R extends number | bigint>(
  kind: SamplerSetup<R>['kind'],
  options: SamplerOptions<R>,
  largest: number,
  wide: boolean,
): SamplerSetup<R> {
  const { unique } = options;
  if (unique !== undefined && typeof unique !== 'boolean') {
    throw makeError('ERR_INVALID_ARG_TYPE', `unique: expected true or false, got ${show(unique)}`);
  }
  return {
    kind,
    rangeMax: readRange(options.rangeMax, largest, wide) as R,
    numSampled: checkInteger('numSampled', options.numSampled, 1, maxSampled),
    unique: unique ?? true,
    seeds: readSeed(options.seed),
    tensorflowSkip: options.compat !== undefined && checkChoice('compat', options.compat, ['tensorflow']) === 'tensorflow',
  };
}

function readRange(value: unknown, largest: number, wide: boolean): number | bigint {
  if (typeof value === 'bigint' && wide) {
    if (value < 1n || value >= 2n ** 63n) {
      throw makeError('ERR_OUT_OF_RANGE', `rangeMax: expected a bigint in [1, 2^63 - 1], got ${show(value)}`);
    }
    return value;
  }
  if (wide && typeof value === 'number' && Number.isInteger(value) && value > largest) {
    throw makeError('ERR_OUT_OF_RANGE', `rangeMax: a number may be up to ${largest}, got ${value}; pass a bigint for 64-bit ids`);
  }
  return checkInteger('rangeMax', value, 1, largest);
}
