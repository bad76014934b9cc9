/** From a checked problem to the native call: allocates the results, lays out the gradients, and hands the results over. */
import type { NativeLossCommon, NativeRowPlan } from '../../binding.d.ts';
import { pin, type OwnIds } from '../arrays.ts';
import { binding } from '../binding.ts';
import { fromNative, makeError, native, show } from '../errors.ts';
import { Outputs, parameterGradient, type OutputArray, type ParameterGradient } from '../gradients.ts';
import { nativeParameter, nativeShard, plainArrays, shardRows, type ReadMatrix } from '../parameters.ts';
import { reduce } from '../reduction.ts';
import type { Problem } from './prepare.ts';

export interface CommonResult {
  readonly loss: unknown;
  readonly gradients: unknown;
}

/** The arrays and plans of a call; `sampled` are the ids whose rows take part besides the labels'. */
export function buildCall(p: Problem, sampled: OwnIds, fullClasses: boolean): { call: NativeLossCommon; finish: () => CommonResult } {
  const { outputs, request } = p;
  if (outputs.asynchronous) {
    for (const { view } of [...plainArrays(p.weights), ...plainArrays(p.biases ?? [])]) pin(view);
  }
  const losses = outputs.make(p.batch);
  const inputGradients = request ? outputs.take('gradients.out.inputs', request.out.inputs, p.batch * p.dim, false) : null;
  const gradient = (
    name: 'weights' | 'biases',
    shards: readonly ReadMatrix[],
    sharded: boolean,
    width: number | undefined,
    plan: NativeRowPlan,
  ): ParameterGradient =>
    parameterGradient(
      name,
      plan,
      request?.mode ?? 'sparse',
      { rows: p.numClasses, width, shardRows: shards.map((_, i) => shardRows(i, p.numClasses, shards.length)), sharded },
      outputs,
      request?.out[name],
    );
  const plan = (shards: number): NativeRowPlan => planRows(p, sampled, shards, fullClasses);
  let weightGradient: ParameterGradient | undefined;
  let biasGradient: ParameterGradient | undefined;
  if (request) {
    const weightPlan = plan(p.weights.length);
    weightGradient = gradient('weights', p.weights, p.weightsSharded, p.dim, weightPlan);
    if (p.biases) {
      const biasPlan = p.biases.length === p.weights.length ? weightPlan : plan(p.biases.length);
      biasGradient = gradient('biases', p.biases, p.biasesSharded, undefined, biasPlan);
    }
  }
  checkOverlaps(p, outputs.borrowed);
  const call: NativeLossCommon = {
    batch: p.batch,
    dim: p.dim,
    numTrue: p.numTrue,
    numClasses: p.numClasses,
    float64: outputs.float64,
    reducedPrecision: p.reducedPrecision,
    weights: nativeParameter(p.weights, p.dim, p.strategy),
    biases: p.biases ? nativeParameter(p.biases, 1, p.strategy) : null,
    inputs: nativeShard(outputs.asynchronous ? copied(p.inputs) : p.inputs),
    labels: p.labels,
    upstream: p.upstream,
    upstreamScale: p.upstreamScale,
    losses,
    inputGradients,
    weightGradients: weightGradient?.native ?? null,
    biasGradients: biasGradient?.native ?? null,
    abortFlag: null,
  };
  const finish = (): CommonResult => ({
    loss: reduce(losses, p.reduction),
    gradients: request && {
      inputs: inputGradients,
      weights: weightGradient?.finish(),
      biases: biasGradient?.finish(),
    },
  });
  return { call, finish };
}

function planRows(p: Problem, sampled: OwnIds, shards: number, fullClasses: boolean): NativeRowPlan {
  const partition = p.strategy === 'mod' ? 0 : 1;
  const mode = { sparse: 0, merged: 1, dense: 2 }[p.request?.mode ?? 'sparse'];
  if (
    !fullClasses &&
    shards === 1 &&
    mode === 0 &&
    p.labels instanceof Int32Array &&
    sampled instanceof Int32Array &&
    p.numClasses < 2 ** 31
  ) {
    // By far the most usual plan is so plain that to ask for it would take longer.
    const indices = new Int32Array(p.labels.length + sampled.length);
    indices.set(p.labels);
    indices.set(sampled, p.labels.length);
    const numRows = indices.length;
    return { indices, shardStart: Float64Array.of(0, numRows), numRows, slotRow: null, merged: false, sampledDistinct: true };
  }
  if (!fullClasses) return native(() => binding().planRows(p.labels, sampled, p.numClasses, shards, partition, mode));
  // Slot c is class c; only the place of a shard's rows has to be worked out.
  const none = new Int32Array(0);
  if (shards === 1) {
    const shardStart = Float64Array.of(0, p.numClasses);
    return { indices: none, shardStart, numRows: p.numClasses, slotRow: null, merged: false, sampledDistinct: true };
  }
  const all = Int32Array.from({ length: p.numClasses }, (_, c) => c);
  return { ...native(() => binding().planRows(none, all, p.numClasses, shards, partition, mode)), merged: false };
}

/** The plan of a gradient without rows, to which any array of the right type has room. */
const noRows = (numClasses: number, shards: number): NativeRowPlan => ({
  indices: numClasses < 2 ** 31 ? new Int32Array(0) : new BigInt64Array(0),
  shardStart: new Float64Array(shards + 1),
  numRows: 0,
  slotRow: null,
  merged: true,
  sampledDistinct: true,
});

/** The inputs are the one large array that a training loop refills at once, so an asynchronous call takes a copy. */
function copied(inputs: ReadMatrix): ReadMatrix {
  if (!('data' in inputs.source)) return inputs;
  const { source } = inputs;
  return { ...inputs, source: { ...source, data: (source.data as Float32Array).slice() } };
}

/** The caller's output arrays of all asynchronous calls under way in this thread. */
const inFlight = new Set<OutputArray>();

/**
 * What can be said of the caller's outputs before the sample is drawn, so that a call that fails has drawn none: types,
 * lengths that do not depend on the sample, overlaps.
 */
export function checkOutputs(p: Problem, numSampled: number): void {
  if (!p.request) return;
  const { out } = p.request;
  const trial = new Outputs(p.outputs.float64, p.outputs.asynchronous);
  if (out.inputs !== undefined) trial.take('gradients.out.inputs', out.inputs, p.batch * p.dim, false);
  for (const name of ['weights', 'biases'] as const) {
    const shards = p[name];
    if (out[name] === undefined || !shards) continue;
    const sharded = name === 'weights' ? p.weightsSharded : p.biasesSharded;
    const { mode } = p.request;
    // How many rows there will be, the sample decides where it is merged or spread over shards.
    const known = mode === 'dense' || (mode === 'sparse' && !sharded);
    const plan = known
      ? planRows(p, new Int32Array(mode === 'dense' ? 0 : numSampled), shards.length, false)
      : noRows(p.numClasses, shards.length);
    const shardSizes = shards.map((_, i) => shardRows(i, p.numClasses, shards.length));
    const shape = { rows: p.numClasses, width: name === 'weights' ? p.dim : undefined, shardRows: shardSizes, sharded };
    parameterGradient(name, plan, known ? mode : 'merged', shape, trial, out[name]);
  }
  checkOverlaps(p, trial.borrowed);
}

function checkOverlaps(p: Problem, own: readonly OutputArray[]): void {
  if (own.length === 0) return;
  const { overlaps } = binding();
  const read = [...plainArrays(p.weights), ...plainArrays(p.biases ?? []), ...plainArrays([p.inputs])];
  own.forEach((output, i) => {
    const clash = (other: OutputArray, whose: string): void => {
      if (overlaps(output.view, other.view)) throw makeError('ERR_OVERLAP', `${output.name}: overlaps ${whose}${other.name}`);
    };
    for (const other of [...read, ...own.slice(0, i)]) clash(other, '');
    for (const other of inFlight) clash(other, "an unfinished call's ");
  });
}

/** Runs the native call of the Promise form: claims the caller's outputs, and follows the signal. */
export async function runAsync(
  outputs: Outputs,
  call: NativeLossCommon,
  signal: AbortSignal | undefined,
  start: () => Promise<void>,
): Promise<void> {
  signal?.throwIfAborted();
  const abortFlag = signal ? new Int32Array(new SharedArrayBuffer(4)) : null;
  call.abortFlag = abortFlag;
  const onAbort = (): void => {
    if (abortFlag) Atomics.store(abortFlag, 0, 1);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  outputs.borrowed.forEach((output) => inFlight.add(output));
  try {
    await start();
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_ABORTED' && signal?.aborted) throw signal.reason;
    throw fromNative(error);
  } finally {
    outputs.borrowed.forEach((output) => inFlight.delete(output));
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The `signal` option of a Promise form. */
export function readSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw makeError('ERR_INVALID_ARG_TYPE', `signal: expected an AbortSignal, got ${show(value)}`);
}
