/** From a checked problem to the native call: allocates the results, lays out the gradients, and hands the results over. */
import { constants } from 'node:buffer';
import { addAbortListener } from 'node:events';
import { types } from 'node:util';
import type { AbortFlag, NativeGradients, NativeLoss, NativeRowPlan } from '../../binding.d.ts';
import { bufferOf, bytesOf, checkAttached, giveBackIds, offsetOf, pin, type DType, type OwnIds, type ValueData } from '../arrays.ts';
import { binding } from '../binding.ts';
import { deviceName } from '../devices.ts';
import { fromNative, makeError, native, show } from '../errors.ts';
import {
  keptGradient,
  Outputs,
  parameterGradient,
  type FloatArray,
  type GradientMode,
  type NamedArray,
  type ParameterGradient,
} from '../gradients.ts';
import { checkStillThere, nativeParameter, nativeShard, plainArrays, shardRows, type ReadMatrix } from '../parameters.ts';
import { reduce } from '../reduction.ts';
import { Room } from '../room.ts';
import type { Problem } from './prepare.ts';
import type { SampledValues } from './types.ts';

export interface CommonResult {
  readonly loss: unknown;
  readonly gradients: unknown;
}

/** A loss over a sample: what there is beyond the full softmax. */
export interface SampledPart {
  /** 0 softmax, 1 logistic. */
  readonly loss: number;
  /** 0 stable, 1 MindSpore's. */
  readonly numerics: number;
  /** Accidental hits: 0 kept, 1 all copies left out, 2 the last copy left out. */
  readonly hits: number;
  readonly subtractLogQ: boolean;
  readonly drawn: SampledValues;
}

/** Makes the result, given what the native call gave. */
export type Finish = (kept: readonly NativeGradients[] | undefined) => CommonResult;

/** Allocates the results of a call; without a `part` it is the full softmax. */
export function buildCall(p: Problem, part?: SampledPart): { call: NativeLoss; finish: Finish } {
  const { outputs, request } = p;
  const sampled = part?.drawn.sampledCandidates;
  for (const { view } of p.reads) pin(view);
  const inputGradients = request ? outputs.take('gradients.out.inputs', request.out.inputs, p.batch * p.dim, false) : null;
  let weights: ParameterGradient | undefined;
  let biases: ParameterGradient | undefined;
  if (request) {
    const plan = planRows(p, sampled, p.weights.length);
    weights = gradientOf(p, 'weights', p.weights, plan, request.mode, outputs, request.out.weights);
    if (p.biases) {
      const own = p.biases.length === p.weights.length ? plan : planRows(p, sampled, p.biases.length);
      biases = gradientOf(p, 'biases', p.biases, own, request.mode, outputs, request.out.biases);
    }
  }
  outputs.room = undefined; // losses may be kept for longer than all of this
  const losses = p.reduction === 'none' || outputs.asynchronous ? outputs.make(p.batch) : unseen(outputs, p.batch);
  const call: NativeLoss = [
    p.batch,
    p.dim,
    p.numTrue,
    p.numClasses,
    outputs.float64 ? 1 : 0,
    p.reducedPrecision ? 1 : 0,
    p.upstreamScale,
    partitionCode(p),
    part?.loss ?? 0,
    part?.numerics ?? 0,
    part?.hits ?? 0,
    part?.subtractLogQ ? 1 : 0,
    p.device,
    request?.onDevice ? 1 : 0,
    nativeParameter(p.weights),
    p.biases ? nativeParameter(p.biases) : null,
    nativeShard(outputs.asynchronous ? copied(p.inputs) : p.inputs),
    p.labels,
    sampled ?? null,
    part?.subtractLogQ ? part.drawn.trueExpectedCount : null,
    part?.subtractLogQ ? part.drawn.sampledExpectedCount : null,
    p.upstream,
    losses,
    inputGradients,
    weights?.values ?? null,
    laidOut(weights),
    biases?.values ?? null,
    laidOut(biases),
  ];
  const finish: Finish = (kept) => {
    if (!outputs.asynchronous) giveBackIds(p.labels);
    return {
      loss: reduce(losses, p.reduction),
      gradients: request && {
        inputs: inputGradients,
        weights: weights?.finish(kept?.[0]),
        biases: biases?.finish(kept?.[1]),
      },
    };
  };
  return { call, finish };
}

/** The losses of the last synchronous call that reduced them. */
let lastUnseen: FloatArray = new Float32Array(0);

/**
 * Room for losses that nobody sees: no code of the caller's runs from here until they are reduced. A new array would cost a
 * small step 1 %.
 */
function unseen(outputs: Outputs, batch: number): FloatArray {
  if (batch > 8192) return outputs.make(batch); // nothing worth keeping
  const fits = lastUnseen.length === batch && lastUnseen instanceof Float64Array === outputs.float64;
  if (!fits) lastUnseen = outputs.make(batch);
  return lastUnseen;
}

const partitionCode = (p: Problem): number => (p.strategy === 'mod' ? 0 : 1);

/** The plan, where it says more than that slot k goes to row k. */
const laidOut = (gradient: ParameterGradient | undefined): NativeRowPlan | null =>
  gradient && (gradient.plan.merged || gradient.plan.slotRow) ? gradient.plan : null;

/** The arrays that the gradient of a parameter goes to. */
function gradientOf(
  p: Problem,
  name: 'weights' | 'biases',
  shards: readonly ReadMatrix[],
  plan: NativeRowPlan,
  mode: GradientMode,
  outputs: Outputs,
  given: unknown,
): ParameterGradient {
  const shape = {
    rows: p.numClasses,
    width: name === 'weights' ? p.dim : undefined,
    shardRows: shards.map((_, i) => shardRows(i, p.numClasses, shards.length)),
    sharded: name === 'weights' ? p.weightsSharded : p.biasesSharded,
  };
  if (p.request?.onDevice) return keptGradient(plan, shape, deviceName(p.device) as `cuda:${number}`, outputs.float64);
  return parameterGradient(name, plan, mode, shape, outputs, given);
}

/** The numbers by which the addon knows the modes (native/core/row_plan.h). */
const modeCode: Record<GradientMode, number> = { sparse: 0, merged: 1, dense: 2 };

/**
 * What the gradients of a call take of a room, if they come to one: sparse ones, of parameters that are whole. All but what
 * the caller supplies.
 */
export function gradientBytes(p: Problem, numSampled: number): number {
  const { labels, weights, biases, outputs, request } = p;
  if (request?.mode !== 'sparse' || p.numClasses >= 2 ** 31 || weights.length > 1 || (biases && biases.length > 1)) return 0;
  const slots = labels.length + numSampled;
  const element = outputs.float64 ? 8 : 4;
  let bytes = Room.bytesFor(slots, 4);
  if (!request.out.inputs) bytes += Room.bytesFor(p.batch * p.dim, element);
  if (!request.out.weights) bytes += Room.bytesFor(slots * p.dim, element);
  if (biases && !request.out.biases) bytes += Room.bytesFor(slots, element);
  return bytes <= constants.MAX_LENGTH / 2 ? bytes : 0; // larger ones are made one by one
}

/** Where the gradients go of the labels' rows and of those `sampled`, or of all classes. */
function planRows(p: Problem, sampled: OwnIds | undefined, shards: number): NativeRowPlan {
  const mode = modeCode[p.request?.mode ?? 'sparse'];
  const plan = (labels: OwnIds, ids: OwnIds | null): NativeRowPlan =>
    native(() => binding().planRows(labels, ids, p.numClasses, shards, partitionCode(p), mode));
  const { labels } = p;
  if (!sampled) {
    // Slot c is class c; only the place of a shard's rows has to be worked out.
    const none = new Int32Array(0);
    return shards === 1 ? unmerged(none, p.numClasses) : { ...plan(none, null), merged: false };
  }
  const usual = shards === 1 && mode === 0 && p.numClasses < 2 ** 31;
  if (!usual || !(labels instanceof Int32Array) || !(sampled instanceof Int32Array)) return plan(labels, sampled);
  // By far the most usual plan is so plain that to ask for it would take longer.
  const slots = labels.length + sampled.length;
  const { room } = p.outputs;
  const indices = room?.has(slots, 4) ? room.int32(slots) : new Int32Array(slots);
  indices.set(labels);
  indices.set(sampled, labels.length);
  return unmerged(indices, indices.length);
}

/** Slot k goes to row k, of one shard. */
const unmerged = (indices: Int32Array | BigInt64Array, numRows: number): NativeRowPlan => ({
  indices,
  shardStart: [0, numRows],
  numRows,
  slotRow: null,
  merged: false,
  sampledDistinct: true,
});

/** The inputs are the one large array that a training loop refills at once, so an asynchronous call takes a copy. */
function copied(inputs: ReadMatrix): ReadMatrix {
  const { source, dtype } = inputs;
  return ArrayBuffer.isView(source) ? { ...inputs, source: copyOf(source, dtype) } : inputs;
}

/** No slice(): of a subclass it may return anything. Of 16-bit values the bits. */
function copyOf(data: ValueData, dtype: DType): ValueData {
  if (dtype === 'float32') return new Float32Array(data as Float32Array);
  if (dtype === 'float64') return new Float64Array(data as Float64Array);
  return new Uint16Array(new Uint16Array(bufferOf(data), offsetOf(data), bytesOf(data) / 2));
}

/** What all asynchronous calls under way in this thread write of the caller's, and what they read. */
const inFlight = new Set<NamedArray>();
const readInFlight = new Set<NamedArray>();

/**
 * Checks the caller's memory before a sample is drawn, so that a call that fails has drawn none: whether what was read is
 * still there; types and overlaps of outputs, and their lengths where they do not depend on the sample. All options have been
 * read before: from here on no code of the caller's runs that could take memory away.
 */
export function checkMemory(p: Problem, numSampled: number): void {
  p.weights.forEach(checkStillThere);
  p.biases?.forEach(checkStillThere);
  checkStillThere(p.inputs);
  const trial = new Outputs(p.outputs.float64, p.outputs.asynchronous);
  if (p.request) {
    const { out, mode } = p.request;
    if (out.inputs !== undefined) trial.take('gradients.out.inputs', out.inputs, p.batch * p.dim, false);
    if (out.weights !== undefined) checkRowOutput(p, 'weights', p.weights, out.weights, mode, numSampled, trial);
    if (out.biases !== undefined && p.biases) checkRowOutput(p, 'biases', p.biases, out.biases, mode, numSampled, trial);
  }
  checkOverlaps(p, trial.borrowed);
}

function checkRowOutput(
  p: Problem,
  name: 'weights' | 'biases',
  shards: readonly ReadMatrix[],
  given: unknown,
  mode: GradientMode,
  numSampled: number,
  trial: Outputs,
): void {
  const sharded = name === 'weights' ? p.weightsSharded : p.biasesSharded;
  // How many rows there will be, the sample decides where it is merged or spread over shards: room for none will do.
  const known = mode === 'dense' || (mode === 'sparse' && !sharded);
  const numRows = mode === 'dense' ? p.numClasses : known ? p.labels.length + numSampled : 0;
  const length = mode === 'dense' ? 0 : numRows;
  const indices = p.numClasses < 2 ** 31 ? new Int32Array(length) : new BigInt64Array(length);
  const starts = shards.map((_, i) => (known ? rowsBefore(i, p.numClasses, shards.length) : 0));
  const plan = { ...unmerged(indices, numRows), shardStart: [...starts, numRows] };
  gradientOf(p, name, shards, plan, known ? mode : 'merged', trial, given);
}

/** Rows of the shards before `shard`. */
const rowsBefore = (shard: number, rows: number, shards: number): number =>
  Array.from({ length: shard }, (_, i) => shardRows(i, rows, shards)).reduce((a, b) => a + b, 0);

function checkOverlaps(p: Problem, own: readonly NamedArray[]): void {
  const unfinished = "an unfinished call's ";
  const clash = (a: NamedArray, b: NamedArray, whose: string): void => {
    if (overlap(a.view, b.view)) throw makeError('ERR_OVERLAP', `${a.name}: overlaps ${whose}${b.name}`);
  };
  const read = own.length || inFlight.size ? [...plainArrays(p.weights), ...plainArrays(p.biases ?? []), ...plainArrays([p.inputs])] : [];
  own.forEach((output, i) => {
    for (const other of [...read, ...own.slice(0, i)]) {
      if (!sameIndices(output, other)) clash(output, other, '');
    }
    for (const other of [...inFlight, ...readInFlight]) clash(output, other, unfinished);
  });
  for (const array of read) {
    for (const other of inFlight) clash(array, other, unfinished);
  }
}

/** Whether two outputs are one array for the indices of weights and biases, which are the same: results share one too. */
const sameIndices = (a: NamedArray, b: NamedArray): boolean =>
  a.name.endsWith('.indices') &&
  a.name.replace('biases', 'weights') === b.name &&
  bufferOf(a.view) === bufferOf(b.view) &&
  offsetOf(a.view) === offsetOf(b.view) &&
  bytesOf(a.view) === bytesOf(b.view);

/** Whether two views share a byte. Several SharedArrayBuffers may stand for the same memory, which only the addon can see. */
function overlap(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const [own, other] = [bufferOf(a), bufferOf(b)];
  if (own !== other) return types.isSharedArrayBuffer(own) && types.isSharedArrayBuffer(other) && binding().overlaps(a, b);
  return offsetOf(a) < offsetOf(b) + bytesOf(b) && offsetOf(b) < offsetOf(a) + bytesOf(a);
}

/** Runs the native call of the Promise form, and gives what it gave: claims the caller's outputs, and follows the signal. */
export async function runAsync(
  { outputs, reads }: Problem,
  signal: AbortSignal | undefined,
  start: (abortFlag: AbortFlag) => Promise<NativeGradients[] | undefined>,
): Promise<NativeGradients[] | undefined> {
  signal?.throwIfAborted();
  const abortFlag = signal ? new Int32Array(new SharedArrayBuffer(4)) : null;
  const unfollow = signal && abortFlag ? follow(signal, abortFlag) : undefined;
  outputs.borrowed.forEach((output) => inFlight.add(output));
  reads.forEach((read) => readInFlight.add(read));
  try {
    const kept = await start(abortFlag);
    // Memory of WebAssembly stays while the call uses it, but no longer belongs to the array once it has grown.
    for (const { name, view } of outputs.borrowed) checkAttached(name, view);
    return kept;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_ABORTED' && signal?.aborted) throw signal.reason;
    throw fromNative(error);
  } finally {
    outputs.borrowed.forEach((output) => inFlight.delete(output));
    reads.forEach((read) => readInFlight.delete(read));
    unfollow?.();
  }
}

/** The unfinished calls that follow a signal: one listener for all, as Node warns of more than ten. */
interface Followers {
  readonly flags: Set<Int32Array>;
  listener: Disposable | undefined;
  /** The last event that was somebody's own. */
  foreign: Event | undefined;
}

const followers = new WeakMap<AbortSignal, Followers>();

/**
 * Listens once, whatever other listeners do with the event: 3 us, and 1 us without that. After an event that was somebody's
 * own it listens again at once, so as to miss no abort; but where that meets the same event again, not before it has ended:
 * two listeners that do so would keep it going for ever.
 */
function listen(signal: AbortSignal, to: Followers): void {
  if (to.listener || to.flags.size === 0) return;
  to.listener = addAbortListener(signal, (event) => {
    const again = event === to.foreign;
    to.listener = undefined;
    to.foreign = event;
    if (signal.aborted) to.flags.forEach((flag) => Atomics.store(flag, 0, 1));
    else if (again) queueMicrotask(() => listen(signal, to));
    else listen(signal, to);
  });
}

/** Sets the flag when the signal aborts, until the function that is returned is called. */
function follow(signal: AbortSignal, flag: Int32Array): () => void {
  const all = followers.get(signal) ?? { flags: new Set(), listener: undefined, foreign: undefined };
  followers.set(signal, all);
  all.flags.add(flag);
  listen(signal, all);
  return () => {
    all.flags.delete(flag);
    if (all.flags.size > 0) return;
    all.listener?.[Symbol.dispose]();
    all.listener = undefined;
  };
}

/** The `signal` option of a Promise form. */
export function readSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw makeError('ERR_INVALID_ARG_TYPE', `signal: expected an AbortSignal, got ${show(value)}`);
}
