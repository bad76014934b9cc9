/**
 * The contract: every function that the addon exports. The facade (lib/) has checked all arguments before it calls one
 * of them; the addon checks sizes again, so that a mistake in the facade becomes an error with code ERR_INTERNAL.
 * Errors are plain Errors with a `code` (lib/errors.ts gives them their class).
 *
 * Letters: B batch, D dim, S sampled, T true classes per row, C classes.
 */

type IdArray = Int32Array | BigInt64Array;
type FloatArray = Float32Array | Float64Array;

/** Values and their dtype (0 float32, 1 float64, 2 float16, 3 bfloat16). */
export interface NativeValues {
  readonly data: ArrayBufferView;
  readonly dtype: number;
}

/** One shard of a parameter: values, or a table; all but 16-bit values bring their own dtype. */
export type NativeShard = Float32Array | Float64Array | NativeValues | NativeTable;

/** A parameter: whole, or in shards. */
export type NativeParameter = NativeShard | readonly NativeShard[];

/** Where each use of a class row puts its gradient (native/core/row_plan.h). */
export interface NativeRowPlan {
  /** Local row index of each output row, shard after shard; empty for 'dense'. */
  readonly indices: IdArray;
  /** [shards + 1]: where the output rows of each shard begin. */
  readonly shardStart: ArrayLike<number>;
  readonly numRows: number;
  /** [slots]: the output row of each slot, or null where slot k is row k. */
  readonly slotRow: IdArray | null;
  readonly merged: boolean;
  readonly sampledDistinct: boolean;
}

/**
 * The arguments of a loss, in the order of `Argument` in native/addon/loss_arguments.h: to read as many properties of an object
 * took a tenth of a small step. Arrays are read and written in place, until the call has ended.
 */
export type NativeLoss = [
  batch: number,
  dim: number,
  numTrue: number,
  numClasses: number,
  /** 1: arithmetic, losses and gradients in float64. */
  float64: number,
  /** 1: products may be rounded to bfloat16. */
  reducedPrecision: number,
  upstreamScale: number,
  /** 0 mod, 1 div. */
  partition: number,
  /** 0 softmax, 1 logistic. */
  loss: number,
  /** 0 stable, 1 MindSpore's. */
  numerics: number,
  /** Accidental hits: 0 kept, 1 all copies left out, 2 the last copy left out. */
  hits: number,
  subtractLogQ: number,
  /** 0 is the CPU, n + 1 is `'cuda:n'`. */
  device: number,
  /** 1: the gradients of weights and biases stay on the device. */
  kept: number,
  weights: NativeParameter,
  biases: NativeParameter | null,
  /** [B, D] */
  inputs: NativeShard,
  /** [B * T], each in [0, C). */
  labels: IdArray,
  /** [S], each in [0, C); null for the full softmax. */
  sampled: IdArray | null,
  /** [B * T]; null where expected counts take no part. */
  trueExpectedCount: FloatArray | null,
  /** [S]; as above. */
  sampledExpectedCount: FloatArray | null,
  /** [B] or null. */
  upstream: Float64Array | null,
  /** [B], written. */
  losses: FloatArray,
  /** [B, D], written, or null. */
  inputGradients: FloatArray | null,
  /** [rows, D], written whole; null where they are not wanted, or stay on the device. */
  weightGradients: FloatArray | null,
  /** Null where slot k goes to row k. */
  weightRows: NativeRowPlan | null,
  /** [rows], written whole, or null. */
  biasGradients: FloatArray | null,
  biasRows: NativeRowPlan | null,
];

/** One element in shared memory; a value other than 0 stops the call between blocks. */
export type AbortFlag = Int32Array | null;

export interface NativeInfo {
  readonly instructionSet: string;
  readonly instructionSets: readonly string[];
  readonly threads: number;
  readonly compiler: string;
}

export interface NativeRuntime {
  /** The addon does not load, with ERR_ENVIRONMENT, where SAMPLED_SOFTMAX_ISA or SAMPLED_SOFTMAX_THREADS cannot be obeyed. */
  info(): NativeInfo;
  setThreads(threads: number): void;
  /** Position of the first id outside [0, limit), or -1. */
  firstOutOfRange(ids: BigInt64Array, limit: bigint): number;
  /** Whether the two views share a byte of memory. */
  overlaps(a: ArrayBufferView, b: ArrayBufferView): boolean;
}

export interface NativeCudaDevice {
  readonly description: string;
  /** Bytes. */
  readonly memory: number;
  /** Such as '9.0'. */
  readonly computeCapability: string;
}

/** Devices by number: 0 is the CPU, n + 1 is CUDA's device n. */
export interface NativeDevices {
  /** What 'auto' stands for. The addon does not load, with ERR_ENVIRONMENT, where SAMPLED_SOFTMAX_DEVICE cannot be read. */
  readonly defaultDevice: number;
  /** At least 1. Looks; throws ERR_DEVICE_UNAVAILABLE, with the reason, where there are none. */
  countCudaDevices(): number;
  /** Looks; empty where there are none. */
  cudaDevices(): NativeCudaDevice[];
  /** What a look has found; null where nobody has looked. Never looks. */
  cudaSoFar(): { readonly available: boolean; readonly reason: string } | null;
  /** Of the host, and of the devices that have been used. */
  releaseMemory(): void;
}

export interface NativeLosses {
  /** What the call left on the device, where its `kept` asks for that: gradients of the weights, then of the biases. */
  sampledLoss(...call: NativeLoss): NativeGradients[] | undefined;
  sampledLossAsync(...call: [...NativeLoss, AbortFlag]): Promise<NativeGradients[] | undefined>;
  softmaxLoss(...call: NativeLoss): NativeGradients[] | undefined;
  softmaxLossAsync(...call: [...NativeLoss, AbortFlag]): Promise<NativeGradients[] | undefined>;
  /**
   * `mode`: 0 sparse, 1 merged, 2 dense. Slots are the labels, then the sampled ids, or all classes in their order where
   * there are none; `rows` is the total over the shards.
   */
  planRows(labels: IdArray, sampled: IdArray | null, rows: number, shards: number, partition: number, mode: number): NativeRowPlan;
  /** Triples (row, position in `sampled`) in row-major order of the labels; `lastOnly`: only the last copy of a repeated id. */
  computeAccidentalHits(trueClasses: IdArray, sampled: IdArray, numTrue: number, lastOnly: boolean): { indices: Int32Array; ids: IdArray };
}

/** A sampler's state lives in the addon; the object is type-tagged. */
export interface NativeSampler {
  readonly __sampler: unique symbol;
}

export interface NativeSamplerOptions {
  /** 0 uniform, 1 log-uniform, 2 learned unigram, 3 fixed unigram, 4 all candidates, 5 MindSpore's uniform. */
  readonly kind: number;
  readonly rangeMax: bigint;
  readonly numSampled: number;
  readonly unique: boolean;
  /** 64 bits each, taken as they are; kind 5 has only the first. */
  readonly seed: bigint;
  readonly seed2: bigint;
  /** TensorFlow's int32 overflow of the skip between calls. */
  readonly tensorflowSkip: boolean;
  /** Kind 5: draw no true class of the batch, where there is room. */
  readonly avoidTrueClasses: boolean;
  /** Kind 3 only. */
  readonly fixed: {
    readonly unigrams: Float32Array;
    readonly distortion: number;
    readonly numReservedIds: number;
    readonly numShards: number;
    readonly shard: number;
  } | null;
}

/** What later draws depend on (native/core/samplers/sampler.h). */
export interface NativeSamplerState {
  readonly generator: BigUint64Array;
  readonly classes: BigInt64Array;
  readonly counts: BigInt64Array;
}

export interface NativeSamplers {
  /** Throws ERR_DRAW_IMPOSSIBLE where fewer classes can occur than are asked for without repeats. */
  createSampler(options: NativeSamplerOptions): NativeSampler;
  /** Draws into `sampled` [S] and the counts ([B * T] and [S]); every true class is in [0, rangeMax). Returns the number of tries. */
  drawSample(
    sampler: NativeSampler,
    trueClasses: IdArray,
    sampled: IdArray,
    trueExpectedCount: Float32Array,
    sampledExpectedCount: Float32Array,
  ): number;
  /** Position of the first class that is never drawn (its weight is 0), or -1. */
  firstImpossibleClass(sampler: NativeSampler, classes: IdArray): number;
  samplerState(sampler: NativeSampler): NativeSamplerState;
  restoreSampler(sampler: NativeSampler, state: NativeSamplerState): void;
  /** Frees the sampler's memory; every later use but this one throws ERR_DISPOSED. */
  disposeSampler(sampler: NativeSampler): void;
  /** Weights of a vocabulary file; `path` is for the message of ERR_VOCAB_FILE. */
  parseVocab(text: Uint8Array, path: string): Float32Array;
}

/** Parameters in memory that the addon owns; the object is type-tagged. */
export interface NativeTable {
  readonly __table: unique symbol;
}

/** Rows of gradients in the memory of a device; the object is type-tagged. */
export interface NativeGradients {
  readonly __gradients: unique symbol;
}

export interface NativeTables {
  /**
   * `distribution`: 0 zeros, 1 uniform in [first, second], 2 normal and 3 truncated normal with mean `first` and standard
   * deviation `second`, 4 Glorot's uniform; `device` as NativeDevices counts them. Throws ERR_OUT_OF_MEMORY before anything is allocated.
   */
  createTable(
    rows: number,
    dim: number,
    dtype: number,
    distribution: number,
    first: number,
    second: number,
    seed: bigint,
    device: number,
  ): NativeTable;
  createTableAsync(
    rows: number,
    dim: number,
    dtype: number,
    distribution: number,
    first: number,
    second: number,
    seed: bigint,
    device: number,
  ): Promise<NativeTable>;
  /** `values`: [rows, dim], converted to `dtype`. */
  tableFromValues(rows: number, dim: number, dtype: number, values: NativeValues, device: number): NativeTable;
  tableFromValuesAsync(rows: number, dim: number, dtype: number, values: NativeValues, device: number): Promise<NativeTable>;
  /** Null where the value is no table. Throws ERR_DISPOSED, as every function that is given a disposed one. */
  tableInfo(table: unknown): { rows: number; dim: number; dtype: number; device: number } | null;
  /** Idempotent; the memory goes when the last handle of any thread and the last call that uses it are gone. */
  disposeTable(table: NativeTable): void;
  /** 32 hexadecimal digits, the same for every handle of a table. */
  tableToken(table: NativeTable): string;
  /** Null where there is no such table, or no longer. */
  tableFromToken(token: string): NativeTable | null;
  /** `indices`: [n], each in [0, rows). `out`: [n, dim], Float64Array for a float64 table, otherwise Float32Array; written. */
  readRows(table: NativeTable, indices: IdArray, out: FloatArray): void;
  /** The Async functions copy indices and values before they return, and write `out` until the promise settles. */
  readRowsAsync(table: NativeTable, indices: IdArray, out: FloatArray): Promise<void>;
  /** `out`: [count, dim], elements as the table stores them; written. */
  viewRows(table: NativeTable, start: number, count: number, out: FloatArray | Uint16Array): void;
  viewRowsAsync(table: NativeTable, start: number, count: number, out: FloatArray | Uint16Array): Promise<void>;
  /** No index may occur twice. `values`: [n, dim], converted. */
  writeRows(table: NativeTable, indices: IdArray, values: NativeValues): void;
  writeRowsAsync(table: NativeTable, indices: IdArray, values: NativeValues): Promise<void>;
  /** table[indices[k]] += scale * values[k], repeated rows summed first. */
  addRows(table: NativeTable, indices: IdArray, values: NativeValues, scale: number): void;
  addRowsAsync(table: NativeTable, indices: IdArray, values: NativeValues, scale: number): Promise<void>;
  /** The same with rows [first, first + n) of gradients that are on the table's device; no index twice. */
  addGradients(table: NativeTable, indices: IdArray, gradients: NativeGradients, first: number, scale: number): void;
  addGradientsAsync(table: NativeTable, indices: IdArray, gradients: NativeGradients, first: number, scale: number): Promise<void>;
  /** `out`: [n, width], rows from `first` on; written. */
  readGradients(gradients: NativeGradients, first: number, out: FloatArray): void;
  readGradientsAsync(gradients: NativeGradients, first: number, out: FloatArray): Promise<void>;
  /** Idempotent; every later use but this one throws ERR_DISPOSED. */
  disposeGradients(gradients: NativeGradients): void;
  /** Positions [earlier, again] of the first id that an earlier position names too, or null. */
  firstRepeat(ids: IdArray): [number, number] | null;
}

export interface NativeBinding extends NativeRuntime, NativeDevices, NativeLosses, NativeSamplers, NativeTables {}
