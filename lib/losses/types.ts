/** What the losses take and give. The result's type follows from the options. */
import type { DType, Ids, Numbers } from '../arrays.ts';
import type { DeviceRowGradients } from '../device-row-gradients.ts';
import type { DeviceName } from '../devices.ts';
import type { EmbeddingTable } from '../embedding-table.ts';
import type { FloatArray, GradientOptions, RowGradients } from '../gradients.ts';
import type { Matrix, Parameter, PartitionStrategy } from '../parameters.ts';
import type { Reduction } from '../reduction.ts';
import type { CandidateSampler } from '../samplers/sampler.ts';

/** A draw of a candidate sampler, whose arrays are views of one buffer (see {@link RowGradients}), or one of the caller's own. */
export interface SampledValues {
  /** `[numSampled]` class ids. */
  readonly sampledCandidates: Int32Array | BigInt64Array;
  /** `[batch, numTrue]` how often each true class was to be expected in the sample. */
  readonly trueExpectedCount: FloatArray;
  /** `[numSampled]` how often each sampled class was to be expected in the sample. */
  readonly sampledExpectedCount: FloatArray;
}

/** A draw as it may be passed in. */
export interface SampledValuesInput {
  readonly sampledCandidates: Ids;
  /** `[batch, numTrue]`, or `[batch]` for all of a row's labels. */
  readonly trueExpectedCount: Numbers;
  readonly sampledExpectedCount: Numbers;
}

/**
 * `'highest'`: float32 arithmetic (float64 for float64 inputs). `'high'`: where weights and inputs are both bfloat16 they
 * may be multiplied as such, with float32 accumulation, where the processor can; probabilities are rounded to bfloat16
 * too, and results are within 2^-7 of their largest element, unless their terms nearly cancel.
 */
export type Precision = 'highest' | 'high';

/** Options that every loss has. */
export interface LossOptions {
  /** `[numClasses, dim]`: values, an {@link EmbeddingTable}, or an array of shards. */
  readonly weights: Parameter;
  /** `[numClasses]`: the same kinds; sharded on its own. Default: none, which is zero. */
  readonly biases?: Parameter | undefined;
  /** `[batch, numTrue]` ids of the true classes, each in `[0, numClasses)`. */
  readonly labels: Ids;
  /** `[batch, dim]`. Their dtype decides the arithmetic: float64 inputs compute in float64, all others in float32. */
  readonly inputs: Matrix;
  /** Needed only where no shape, table, sampler or length tells it. */
  readonly numClasses?: number | undefined;
  /** True classes per row; each has the label 1 / numTrue. Default 1. */
  readonly numTrue?: number | undefined;
  /** How shards hold the rows. Default `'mod'`. */
  readonly partitionStrategy?: PartitionStrategy | undefined;
  /** Default `'none'`: one loss per row. */
  readonly reduction?: Reduction | undefined;
  /** Gradients of the (reduced) loss; of the sum where the reduction is `'none'`. Default: none. */
  readonly gradients?: boolean | GradientOptions | undefined;
  /** Default `'highest'`. */
  readonly precision?: Precision | undefined;
  /** Where to compute. Default `'auto'`. */
  readonly device?: DeviceName | undefined;
}

/** Options of the losses over a sample of the classes. */
export interface SampledLossOptions extends LossOptions {
  /** Classes to sample per call, shared by all rows. Needed only where neither `sampler` nor `sampledValues` tells it. */
  readonly numSampled?: number | undefined;
  /** Draws the sample, and advances. Default: log-uniform without repeats (classes sorted by falling frequency). */
  readonly sampler?: CandidateSampler | undefined;
  /** The caller's own draw, instead of a sampler's. */
  readonly sampledValues?: SampledValuesInput | undefined;
  /** For the default sampler alone: **the same draw on every call**. Training loops pass a `sampler`. Default: random. */
  readonly seed?: number | readonly [bigint, bigint] | undefined;
  /** `'tensorflow'`: of a repeated sampled id only the last copy counts as an accidental hit. */
  readonly compat?: 'tensorflow' | undefined;
}

/** Options of the losses that let accidental hits be kept or left out. */
export interface HitOptions {
  /** Leave out sampled classes that are a true class of the row. */
  readonly removeAccidentalHits?: boolean | undefined;
}

/** What only the Promise form has. */
export interface AsyncOptions {
  /** Aborts the call between two blocks; the promise rejects with the signal's reason. The sampler has advanced and `out` is undefined then. */
  readonly signal?: AbortSignal | undefined;
}

/** The array type of losses and gradients: the arithmetic's dtype. */
export type ArithmeticArray<Inputs> =
  Inputs extends EmbeddingTable<infer D>
    ? TableArray<D>
    : Inputs extends { readonly data: infer Data }
      ? ArithmeticArray<Data>
      : Inputs extends Float64Array
        ? Float64Array
        : Float32Array;

type TableArray<D extends DType> = [D] extends ['float64'] ? Float64Array : 'float64' extends D ? FloatArray : Float32Array;

/**
 * `O`, without keys that `Options` lacks: a type parameter alone would let a misspelt option through to the run-time error.
 */
export type Only<O, Options> = O & Readonly<Record<Exclude<keyof O, keyof Options>, never>>;

export type LossValue<R, A> = [R] extends ['mean' | 'sum'] ? number : [R] extends ['none' | undefined] ? A : A | number;

/** What may be found under a key: undefined too, where it may be left out. */
export type PropertyOf<O, K extends string> = K extends keyof O ? O[K] : undefined;

type SparseUnless<M> = M extends undefined ? 'sparse' : M;

/** Of each object that `G` may be, its mode; `'sparse'` where that may be left out. */
type ModeOf<G> = G extends object ? SparseUnless<PropertyOf<G, 'mode'>> : 'sparse';

/** Of each object that `G` may be, whether the gradients stay on the device; `false` where that may be left out. */
type KeptOf<G> = G extends object ? FalseUnless<PropertyOf<G, 'onDevice'>> : false;
type FalseUnless<K> = K extends undefined ? false : K;

type RowForm<M, A extends FloatArray, Kept> = [Kept] extends [true]
  ? DeviceRowGradients<A>
  : [Kept] extends [false]
    ? HostForm<M, A>
    : DeviceRowGradients<A> | HostForm<M, A>;

type HostForm<M, A extends FloatArray> = [M] extends ['dense']
  ? A
  : [M] extends ['sparse' | 'merged']
    ? RowGradients<A>
    : A | RowGradients<A>;

type PerShard<P, X> = P extends readonly unknown[] ? X[] : X;

/** Gradients of a loss. */
export interface Gradients<Inputs, Weights, Biases, Mode, Kept = false> {
  /** `[batch, dim]` */
  readonly inputs: ArithmeticArray<Inputs>;
  /** Rows of the weights; one entry per shard where they are sharded. */
  readonly weights: PerShard<Weights, RowForm<Mode, ArithmeticArray<Inputs>, Kept>>;
  /** As for the weights; undefined without biases. */
  readonly biases: Biases extends undefined ? undefined : PerShard<Biases, RowForm<Mode, ArithmeticArray<Inputs>, Kept>>;
}

type GradientsOf<O extends LossOptions, Mode, Kept> = Gradients<O['inputs'], O['weights'], PropertyOf<O, 'biases'>, Mode, Kept>;

export type GradientsResult<O extends LossOptions, G, Dense> = [G] extends [false | undefined]
  ? undefined
  : [G] extends [true | object]
    ? GradientsOf<O, Dense extends true ? 'dense' : ModeOf<G>, Dense extends true ? false : KeptOf<G>>
    : GradientsOf<O, Dense extends true ? 'dense' : ModeOf<G>, Dense extends true ? false : KeptOf<G>> | undefined;

/** What a full softmax gives. */
export interface SoftmaxLossResult<O extends LossOptions> {
  /** `[batch]` losses, or a number where `reduction` is `'mean'` or `'sum'`. */
  readonly loss: LossValue<PropertyOf<O, 'reduction'>, ArithmeticArray<O['inputs']>>;
  /** Present where `gradients` asked for them. */
  readonly gradients: GradientsResult<O, PropertyOf<O, 'gradients'>, true>;
}

/** What a sampled loss gives. */
export interface LossResult<O extends SampledLossOptions> {
  /** `[batch]` losses, or a number where `reduction` is `'mean'` or `'sum'`. */
  readonly loss: LossValue<PropertyOf<O, 'reduction'>, ArithmeticArray<O['inputs']>>;
  /** The sample that was used: pass it as `sampledValues` to evaluate again on the same classes. */
  readonly sampledValues: SampledValues;
  /** Present where `gradients` asked for them. */
  readonly gradients: GradientsResult<O, PropertyOf<O, 'gradients'>, false>;
}
