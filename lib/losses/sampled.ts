/**
 * What the four losses over a sample of the classes share: settling the number sampled, the draw, and the native call.
 * A draw is taken in the order of the calls, once everything else about a call has been checked.
 */
import type { NativeGradients, NativeLoss } from '../../binding.d.ts';
import { readIds, type OwnIds } from '../arrays.ts';
import { binding } from '../binding.ts';
import { checkBoolean, checkChoice, checkInteger, checkOptions } from '../checks.ts';
import { makeError, native, show } from '../errors.ts';
import { agree } from '../parameters.ts';
import { Room } from '../room.ts';
import { LogUniformSampler } from '../samplers/log-uniform.ts';
import { drawFor, isSampler, maxSampled, sampleBytes, type CandidateSampler } from '../samplers/sampler.ts';
import { buildCall, checkMemory, gradientBytes, readSignal, runAsync, type CommonResult } from './call.ts';
import { checkLabels, commonOptions, readNumbers, readProblem, type Problem } from './prepare.ts';
import type { HitOptions, SampledLossOptions, SampledValues } from './types.ts';

/** What makes one sampled loss different from the others. */
export interface SampledLossKind {
  readonly name: string;
  readonly loss: 'softmax' | 'logistic';
  /** False: expected counts take no part (negative sampling). */
  readonly subtractLogQ: boolean;
  /** Accidental hits: left out unless told otherwise, kept unless told otherwise, or always left out. */
  readonly hits: 'remove' | 'keep' | 'always remove';
  /** MindSpore's `log(p + 1e-20)`. */
  readonly mindsporeNumerics?: boolean;
}

export type AnySampledOptions = SampledLossOptions & HitOptions & { readonly signal?: AbortSignal | undefined };

export interface AnySampledResult extends CommonResult {
  readonly sampledValues: SampledValues;
}

const sampledOptions = [...commonOptions, 'numSampled', 'sampler', 'sampledValues', 'seed', 'compat'];

const withHits = [...sampledOptions, 'removeAccidentalHits'];
const withSignal = [...sampledOptions, 'signal'];
const withBoth = [...withHits, 'signal'];

function knownOptions(kind: SampledLossKind, asynchronous: boolean): readonly string[] {
  if (kind.hits === 'always remove') return asynchronous ? withSignal : sampledOptions;
  return asynchronous ? withBoth : withHits;
}

/** Beyond it ids no longer fit an Int32Array. */
const maxInt32 = 2 ** 31 - 1;

interface Prepared {
  readonly problem: Problem;
  readonly signal: AbortSignal | undefined;
  readonly call: NativeLoss;
  readonly finish: (kept: readonly NativeGradients[] | undefined) => AnySampledResult;
}

export function sampledLossSync(kind: SampledLossKind, options: AnySampledOptions): AnySampledResult {
  const { call, finish } = prepare(kind, `${kind.name}Sync`, options, false);
  return finish(native(() => binding().sampledLoss(...call)));
}

export async function sampledLoss(kind: SampledLossKind, options: AnySampledOptions): Promise<AnySampledResult> {
  const { problem, signal, call, finish } = prepare(kind, kind.name, options, true);
  return finish(await runAsync(problem, signal, (abortFlag) => binding().sampledLossAsync(...call, abortFlag)));
}

function prepare(kind: SampledLossKind, where: string, options: AnySampledOptions, asynchronous: boolean): Prepared {
  checkOptions(where, options, knownOptions(kind, asynchronous));
  const { removeAccidentalHits, compat, sampler: drawer, sampledValues, seed: ownSeed, numSampled: stated } = options;
  const seed = Array.isArray(ownSeed) ? (Array.from(ownSeed) as [bigint, bigint]) : (ownSeed as number | undefined);
  const hits = readHits(kind, removeAccidentalHits, compat);
  const signal = asynchronous ? readSignal(options.signal) : undefined;
  const sampler = readSampler(drawer, sampledValues, seed);
  const given = sampledValues === undefined ? undefined : readCandidates(sampledValues);
  if (sampler && sampler.rangeMax > Number.MAX_SAFE_INTEGER) {
    throw makeError('ERR_OUT_OF_RANGE', `sampler: a loss takes at most 2^53 - 1 classes, its rangeMax is ${sampler.rangeMax}`);
  }
  const problem = readProblem(where, options, asynchronous, rangeOf(sampler));
  const numSampled = agree('numSampled', [
    {
      value: stated === undefined ? undefined : checkInteger('numSampled', stated, 0, given ? maxInt32 : maxSampled),
      from: 'the option numSampled',
    },
    { value: sampler?.numSampled, from: 'the sampler' },
    { value: given?.candidates.length, from: 'sampledValues' },
  ]);
  if (numSampled === undefined) {
    throw makeError('ERR_INVALID_ARG_TYPE', `${where}: pass numSampled, a sampler or sampledValues`);
  }
  const own = given && readSampledValues(kind, given, problem);
  checkMemory(problem, numSampled);
  const gradients = gradientBytes(problem, numSampled);
  let drawn: SampledValues;
  if (own) {
    if (gradients) problem.outputs.room = new Room('results', gradients);
    drawn = own;
  } else if (numSampled === 0) {
    drawn = { sampledCandidates: new Int32Array(0), trueExpectedCount: ones(problem.labels.length), sampledExpectedCount: ones(0) };
  } else {
    const { numClasses } = problem;
    const source: CandidateSampler =
      sampler ??
      new LogUniformSampler({
        rangeMax: numClasses > maxInt32 ? BigInt(numClasses) : numClasses,
        numSampled,
        ...(seed === undefined ? {} : { seed }),
        ...(compat === undefined ? {} : { compat }),
      });
    const { labels, outputs } = problem;
    outputs.room = new Room('results', sampleBytes(source, labels) + gradients);
    try {
      drawn = drawFor(source, labels, problem.numTrue, outputs.room);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_DISPOSED') throw error;
      throw makeError('ERR_DISPOSED', 'sampler: it has been disposed');
    }
    if (!sampler) source.dispose();
  }
  const { call, finish } = buildCall(problem, {
    loss: kind.loss === 'softmax' ? 0 : 1,
    numerics: kind.mindsporeNumerics ? 1 : 0,
    hits,
    subtractLogQ: kind.subtractLogQ,
    drawn,
  });
  // No object spread: it is a slow path of V8's, 2 % of a small step.
  const withDraw = (kept: readonly NativeGradients[] | undefined): AnySampledResult => {
    const { loss, gradients } = finish(kept);
    return { loss, gradients, sampledValues: drawn };
  };
  return { problem, signal, call, finish: withDraw };
}

const rangeOf = (sampler: CandidateSampler | undefined): number | undefined =>
  typeof sampler?.rangeMax === 'bigint' ? Number(sampler.rangeMax) : sampler?.rangeMax;

const ones = (length: number): Float32Array => new Float32Array(length).fill(1);

/** 0 kept, 1 all copies left out, 2 the last copy. */
function readHits(kind: SampledLossKind, stated: unknown, compat: unknown): number {
  const last = compat !== undefined && checkChoice('compat', compat, ['tensorflow']) === 'tensorflow';
  const remove = stated === undefined ? kind.hits !== 'keep' : checkBoolean('removeAccidentalHits', stated);
  return remove ? (last ? 2 : 1) : 0;
}

function readSampler(sampler: unknown, sampledValues: unknown, seed: unknown): CandidateSampler | undefined {
  if (seed !== undefined && (sampler !== undefined || sampledValues !== undefined)) {
    const other = sampler === undefined ? 'sampledValues were' : 'a sampler was';
    throw makeError('ERR_INVALID_ARG_VALUE', `seed: ${other} given too; a seed is for the default sampler alone`);
  }
  if (sampler === undefined) return undefined;
  if (!isSampler(sampler)) throw makeError('ERR_INVALID_ARG_TYPE', `sampler: expected a sampler, got ${show(sampler)}`);
  if (sampledValues !== undefined) {
    throw makeError('ERR_INVALID_ARG_VALUE', 'sampledValues: a sampler was given too; pass one of the two');
  }
  return sampler;
}

/** The caller's own draw, of which the counts have still to be checked. */
interface GivenValues {
  readonly candidates: OwnIds;
  readonly trueExpectedCount: unknown;
  readonly sampledExpectedCount: unknown;
}

function readCandidates(values: unknown): GivenValues {
  checkOptions('sampledValues', values, ['sampledCandidates', 'trueExpectedCount', 'sampledExpectedCount', 'numTries']);
  const { sampledCandidates, trueExpectedCount, sampledExpectedCount } = values as Record<string, unknown>;
  const { ids, shape } = readIds('sampledValues.sampledCandidates', sampledCandidates);
  if (shape !== undefined && shape.length !== 1) {
    throw makeError('ERR_SHAPE_MISMATCH', `sampledValues.sampledCandidates: expected shape [numSampled], got [${shape.join(', ')}]`);
  }
  if (ids.length > maxInt32) {
    throw makeError('ERR_OUT_OF_RANGE', `sampledValues.sampledCandidates: expected at most ${maxInt32} classes, got ${ids.length}`);
  }
  return { candidates: ids, trueExpectedCount, sampledExpectedCount };
}

/** The caller's own draw, in arrays of our own. Counts of `[batch]` or `[batch, 1]` stand for all of a row's labels. */
function readSampledValues(kind: SampledLossKind, given: GivenValues, problem: Problem): SampledValues {
  const { batch, numTrue, numClasses } = problem;
  const { candidates, trueExpectedCount, sampledExpectedCount } = given;
  checkLabels('sampledValues.sampledCandidates', candidates, numClasses, 1);
  const count = (name: string, value: unknown, shape: readonly number[], other = shape): Float64Array =>
    value === undefined && !kind.subtractLogQ
      ? new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(1)
      : readNumbers(`sampledValues.${name}`, value, shape, other);
  const stated = count('trueExpectedCount', trueExpectedCount, [batch, numTrue], [batch]);
  return {
    sampledCandidates: candidates,
    trueExpectedCount:
      stated.length === batch * numTrue
        ? stated
        : Float64Array.from({ length: batch * numTrue }, (_, i) => stated[Math.floor(i / numTrue)] as number),
    sampledExpectedCount: count('sampledExpectedCount', sampledExpectedCount, [candidates.length]),
  };
}
