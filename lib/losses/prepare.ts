/** Reads the options that all losses share, once: settles the sizes, checks every array and names what is wrong. */
import { checkFixedLength, firstOutOfRange, readIds, readValues, type OwnIds } from '../arrays.ts';
import { checkChoice, checkInteger, checkNumber } from '../checks.ts';
import { chooseDevice } from '../devices.ts';
import { makeError } from '../errors.ts';
import { Outputs, readGradientRequest, type GradientMode, type GradientRequest, type NamedArray } from '../gradients.ts';
import {
  addPlacedTables,
  agree,
  checkParameter,
  partitionStrategies,
  plainArrays,
  readMatrix,
  readParameter,
  saidBy,
  type PartitionStrategy,
  type ReadMatrix,
  type ReadParameter,
  type SizeClaim,
} from '../parameters.ts';
import { checkReduction, reductions, type Reduction } from '../reduction.ts';
import type { LossOptions } from './types.ts';

export const commonOptions: readonly string[] = [
  'weights',
  'biases',
  'labels',
  'inputs',
  'numClasses',
  'numTrue',
  'partitionStrategy',
  'reduction',
  'gradients',
  'precision',
  'device',
];

/** Where a call goes through all classes: with dim 0 no memory stands behind them, so that a shape could ask for days. */
const maxWithoutDim = 2 ** 32;

/** A loss's options with every size settled and every array checked. */
export interface Problem {
  readonly batch: number;
  readonly dim: number;
  readonly numTrue: number;
  readonly numClasses: number;
  readonly weights: readonly ReadMatrix[];
  readonly weightsSharded: boolean;
  readonly biases: readonly ReadMatrix[] | undefined;
  readonly biasesSharded: boolean;
  /** The caller's arrays of parameters that an asynchronous call reads in place. */
  readonly reads: readonly NamedArray[];
  readonly inputs: ReadMatrix;
  readonly labels: OwnIds;
  readonly strategy: PartitionStrategy;
  readonly reduction: Reduction;
  readonly request: GradientRequest | undefined;
  readonly upstream: Float64Array | null;
  readonly upstreamScale: number;
  readonly reducedPrecision: boolean;
  /** As NativeLoss has it: 0 is the CPU, n + 1 is `'cuda:n'`. */
  readonly device: number;
  readonly outputs: Outputs;
}

/** Reads the options that all losses share, each once: getters may change their answers. `range`: of the sampler that is among them. */
export function readProblem(
  where: string,
  options: LossOptions,
  asynchronous: boolean,
  range: number | undefined,
  modes?: readonly GradientMode[],
): Problem {
  const { numTrue = 1, partitionStrategy: strategy = 'mod', reduction = 'none', precision = 'highest', numClasses: stated } = options;
  const { labels: ownLabels, weights: ownWeights, biases: ownBiases, inputs: ownInputs, device: wanted, gradients } = options;
  checkInteger('numTrue', numTrue, 1, 2 ** 31 - 1);
  checkChoice('partitionStrategy', strategy, partitionStrategies);
  checkChoice('reduction', reduction, reductions);
  checkChoice('precision', precision, ['highest', 'high']);
  if (stated !== undefined) checkInteger('numClasses', stated, 1);

  const labels = readIds('labels', ownLabels, !asynchronous);
  const batch = batchOf('labels', labels.ids.length, labels.shape, numTrue);
  const weights = readParameter('weights', ownWeights, 2);
  const biases = ownBiases === undefined || ownBiases === null ? undefined : readParameter('biases', ownBiases, 1);
  const inputs = readMatrix('inputs', ownInputs, 2);
  const tables = addPlacedTables(weights.shards, []);
  if (biases) addPlacedTables(biases.shards, tables);
  const device = chooseDevice('device', wanted, addPlacedTables([inputs], tables));
  agree('batch', [
    { value: batch, from: 'labels' },
    { value: inputs.rows, from: 'inputs' },
  ]);
  if (batch > 0 && inputs.width === undefined && inputs.length % batch !== 0) {
    throw makeError('ERR_SHAPE_MISMATCH', `inputs: ${inputs.length} elements are not ${batch} rows (labels have ${batch})`);
  }

  const classClaims = [
    { value: stated, from: 'the option numClasses' },
    { value: range, from: "the sampler's rangeMax" },
    { value: weights.rows, from: 'weights' },
    { value: biases?.rows, from: 'biases' },
  ];
  const known = agree('numClasses', classClaims);
  const dimClaims = [{ value: inputs.width ?? (batch > 0 ? inputs.length / batch : undefined), from: 'inputs' }];
  for (const { name, width } of weights.shards) dimClaims.push({ value: width, from: name });
  const dim = agree('dim', dimClaims) ?? rowLength(weights.length, known, classClaims);
  const numClasses = known ?? (dim > 0 && weights.length % dim === 0 ? weights.length / dim : undefined);
  if (numClasses === undefined) {
    const wrong =
      dim > 0
        ? `weights: ${weights.length} elements are not rows of ${dim} (${saidBy(dimClaims).join()})`
        : 'numClasses: nothing tells how many classes there are; pass numClasses';
    throw makeError('ERR_SHAPE_MISMATCH', wrong);
  }
  if (numClasses < 1) throw makeError('ERR_OUT_OF_RANGE', `numClasses: expected at least 1, got ${numClasses}`);
  checkParameter(weights.shards, numClasses, dim, classClaims, dimClaims);
  if (biases) checkParameter(biases.shards, numClasses, 1, classClaims);
  if (inputs.length !== batch * dim) {
    throw makeError('ERR_SHAPE_MISMATCH', `inputs: expected [${batch}, ${dim}] (${batch} from labels), got ${inputs.length} elements`);
  }
  checkLabels('labels', labels.ids, numClasses, numTrue);
  checkReduction(where, reduction, batch);

  const reads = asynchronous ? [...plainArrays(weights.shards), ...plainArrays(biases?.shards ?? [])] : [];
  for (const { name, view } of reads) checkFixedLength(name, view);
  const request = readGradientRequest(gradients, shardsOf(weights), biases ? shardsOf(biases) : null, modes);
  if (request?.onDevice) checkKept(request, [...weights.shards, ...(biases?.shards ?? [])]);
  if (dim === 0 && numClasses > maxWithoutDim && (request?.mode ?? modes?.[0]) === 'dense') {
    throw makeError('ERR_OUT_OF_RANGE', `numClasses: rows of dim 0 may be at most ${maxWithoutDim}, got ${numClasses}`);
  }
  const outputs = new Outputs(inputs.dtype === 'float64', asynchronous);
  const { upstream, upstreamScale } = readUpstream(request?.upstream, reduction, batch);
  return {
    batch,
    dim,
    numTrue,
    numClasses,
    weights: weights.shards,
    weightsSharded: weights.sharded,
    biases: biases?.shards,
    biasesSharded: biases?.sharded ?? false,
    reads,
    inputs,
    labels: labels.ids,
    strategy,
    reduction,
    request,
    upstream,
    upstreamScale,
    reducedPrecision: precision === 'high',
    device,
    outputs,
  };
}

const shardsOf = ({ sharded, shards }: ReadParameter): number | undefined => (sharded ? shards.length : undefined);

/** Gradients that stay on a device are of tables there, and go to no array. */
function checkKept({ out }: GradientRequest, shards: readonly ReadMatrix[]): void {
  for (const name of ['weights', 'biases'] as const) {
    if (out[name] !== undefined) {
      throw makeError('ERR_INVALID_ARG_VALUE', `gradients.out.${name}: gradients that stay on the device (onDevice) go to no array`);
    }
  }
  for (const shard of shards) {
    const [table] = addPlacedTables([shard], []);
    if (table && table.device !== 'cpu') continue;
    const is = table ? "a table in the host's memory" : 'no table';
    throw makeError('ERR_INVALID_ARG_VALUE', `gradients.onDevice: ${shard.name} is ${is}; only gradients of tables on a device stay there`);
  }
}

/** The dim that flat weights of `numClasses` rows have. */
function rowLength(flat: number, numClasses: number | undefined, claims: readonly SizeClaim[]): number {
  if (!numClasses) return 0;
  if (flat % numClasses === 0) return flat / numClasses;
  throw makeError('ERR_SHAPE_MISMATCH', `weights: ${flat} elements are not ${numClasses} rows (${saidBy(claims).join()})`);
}

/** The batch that ids of `[batch, numTrue]` have; rank 1 will do where numTrue is 1. */
export function batchOf(name: string, length: number, shape: readonly number[] | undefined, numTrue: number): number {
  if (shape !== undefined) {
    const fits = shape.length === 2 ? shape[1] === numTrue : shape.length === 1 && numTrue === 1;
    if (!fits) {
      const wanted = numTrue === 1 ? '[batch] or [batch, 1]' : `[batch, ${numTrue}]`;
      throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected shape ${wanted} (numTrue is ${numTrue}), got [${shape.join(', ')}]`);
    }
    return shape[0] as number;
  }
  if (length % numTrue !== 0) {
    throw makeError('ERR_SHAPE_MISMATCH', `${name}: ${length} elements are not rows of numTrue = ${numTrue}`);
  }
  return length / numTrue;
}

/** Every id in [0, numClasses); the first that is not is named with its place. */
export function checkLabels(name: string, ids: OwnIds, numClasses: number, numTrue: number): void {
  const at = firstOutOfRange(ids, numClasses);
  if (at < 0) return;
  const place = numTrue === 1 ? `${at}` : `${Math.floor(at / numTrue)}, ${at % numTrue}`;
  throw makeError('ERR_OUT_OF_RANGE', `${name}[${place}]: class ${ids[at]} is out of range [0, ${numClasses})`);
}

function readUpstream(value: unknown, reduction: Reduction, batch: number): { upstream: Float64Array | null; upstreamScale: number } {
  const share = reduction === 'mean' ? 1 / batch : 1;
  if (value === undefined) return { upstream: null, upstreamScale: share };
  if (typeof value === 'number') return { upstream: null, upstreamScale: value * share };
  if (reduction !== 'none') checkNumber('gradients.upstream', value); // throws: a reduced loss is one number
  return { upstream: readNumbers('gradients.upstream', value, [batch]), upstreamScale: 1 };
}

/**
 * Values or plain numbers of a shape, as doubles; or of the shape `other`, where they have as many. A shape that they state
 * may leave out last sizes of 1.
 */
export function readNumbers(name: string, value: unknown, shape: readonly number[], other: readonly number[] = shape): Float64Array {
  let numbers: Float64Array;
  let stated: readonly number[] | undefined;
  if (Array.isArray(value)) {
    numbers = Float64Array.from(value, (x, i) => checkNumber(`${name}[${i}]`, x));
  } else {
    const view = readValues(name, value);
    if (view.dtype !== 'float32' && view.dtype !== 'float64') {
      throw makeError('ERR_INVALID_ARG_TYPE', `${name}: expected float32 or float64, got ${view.dtype}`);
    }
    stated = view.shape;
    numbers = new Float64Array(view.data as Float32Array);
  }
  const wanted = numbers.length !== sizeOfShape(shape) && numbers.length === sizeOfShape(other) ? other : shape;
  if (stated && withoutLastOnes(stated) !== withoutLastOnes(wanted)) {
    throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected shape [${wanted.join(', ')}], got [${stated.join(', ')}]`);
  }
  const length = sizeOfShape(wanted);
  if (numbers.length !== length) throw makeError('ERR_SHAPE_MISMATCH', `${name}: expected ${length} elements, got ${numbers.length}`);
  return numbers;
}

const sizeOfShape = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const withoutLastOnes = (shape: readonly number[]): string => shape.join().replace(/(,1)+$/, '');
