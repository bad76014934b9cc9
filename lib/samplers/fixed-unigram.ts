/** Candidate sampling from a distribution that the caller gives. */
import { readFileSync } from 'node:fs';
import type { NativeSamplerOptions } from '../../binding.d.ts';
import { lengthOf } from '../arrays.ts';
import { binding } from '../binding.ts';
import { checkInteger, checkNumber, checkOptions } from '../checks.ts';
import { makeError, native, show } from '../errors.ts';
import { readNumbers } from '../losses/prepare.ts';
import { CandidateSampler, own, readSamplerOptions, samplerOptions, type SamplerOptions } from './sampler.ts';

/** Options of {@link FixedUnigramSampler}: exactly one of `unigrams` and `vocabFile`. */
export interface FixedUnigramSamplerOptions extends SamplerOptions {
  /** Weights of the classes from `numReservedIds` on: finite, not negative, not all zero. */
  readonly unigrams?: readonly number[] | Float32Array | Float64Array | undefined;
  /** Path of a file with one line per class, the weight being the last comma-separated field. Empty lines are skipped. */
  readonly vocabFile?: string | URL | undefined;
  /** Power to which every weight is raised; 0 makes all of them 1, those of 0 too. Default 1. */
  readonly distortion?: number | undefined;
  /** So many classes come before those of the weights; they are never drawn and cannot be true classes. Default 0. */
  readonly numReservedIds?: number | undefined;
  /** This sampler holds the classes with `id % numShards === shard`, as its own 0, 1, 2, ... Default 1. */
  readonly numShards?: number | undefined;
  /** Default 0. */
  readonly shard?: number | undefined;
}

const ownOptions = ['unigrams', 'vocabFile', 'distortion', 'numReservedIds', 'numShards', 'shard'];

/**
 * Draws classes in proportion to given weights, such as word frequencies (`distortion: 0.75` is word2vec's choice).
 *
 * Ids are those of TensorFlow 2.21 for the same seeds. With `numShards` above 1, `rangeMax` is the number of classes in this
 * shard. Where shards and reserved ids come together, the classes are dealt out correctly here; TensorFlow shifts them.
 *
 * @see https://www.tensorflow.org/api_docs/python/tf/random/fixed_unigram_candidate_sampler
 */
export class FixedUnigramSampler extends CandidateSampler<number> {
  /**
   * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong option, named with its position and value; weights
   * that are not as many as `rangeMax`, negative, not finite, or all zero
   * @throws SampledSoftmaxRangeError `ERR_DRAW_IMPOSSIBLE` where fewer than `numSampled` classes can ever be drawn, having
   * weights that are positive and not next to 0 beside the others
   * @throws SampledSoftmaxError `ERR_VOCAB_FILE` where the file cannot be read, or names the line that has no weight
   */
  constructor(options: FixedUnigramSamplerOptions) {
    checkOptions('FixedUnigramSampler', options, [...samplerOptions, ...ownOptions]);
    const common = readSamplerOptions('fixed-unigram', options, 2 ** 31 - 1, false);
    super(own, { ...common, fixed: readFixed(options, common.rangeMax), mayBeImpossible: true });
  }
}

function readFixed(options: FixedUnigramSamplerOptions, rangeMax: number): NativeSamplerOptions['fixed'] {
  const { distortion, numReservedIds, numShards, shard } = options;
  const power = distortion === undefined ? 1 : checkNumber('distortion', distortion);
  if (!Number.isFinite(Math.fround(power))) {
    throw makeError('ERR_INVALID_ARG_VALUE', `distortion: expected a finite number that float32 can hold, got ${power}`);
  }
  const shards = numShards === undefined ? 1 : checkInteger('numShards', numShards, 1, 2 ** 31 - 1);
  const reserved = numReservedIds === undefined ? 0 : checkInteger('numReservedIds', numReservedIds, 0, 2 ** 31 - 1);
  if (Math.floor(reserved / shards) > rangeMax) {
    throw makeError('ERR_INVALID_ARG_VALUE', `numReservedIds: ${reserved} ids are more than the rangeMax of ${rangeMax} has room for`);
  }
  return {
    unigrams: readWeights(options),
    distortion: power,
    numReservedIds: reserved,
    numShards: shards,
    shard: shard === undefined ? 0 : checkInteger('shard', shard, 0, shards - 1),
  };
}

function readWeights({ unigrams, vocabFile }: FixedUnigramSamplerOptions): Float32Array {
  if ((unigrams === undefined) === (vocabFile === undefined)) {
    const what = unigrams === undefined ? 'neither' : 'both';
    throw makeError('ERR_INVALID_ARG_VALUE', `FixedUnigramSampler: expected one of unigrams and vocabFile, got ${what}`);
  }
  if (vocabFile === undefined) {
    const given = readNumbers('unigrams', unigrams, [lengthOf(unigrams) ?? 0]);
    const at = given.findIndex((weight) => !(weight >= 0 && Math.fround(weight) < Infinity));
    if (at < 0) return Float32Array.from(given);
    const what = 'expected a finite weight >= 0 that float32 can hold';
    throw makeError('ERR_INVALID_ARG_VALUE', `unigrams[${at}]: ${what}, got ${given[at]}`);
  }
  if (typeof vocabFile !== 'string' && !(vocabFile instanceof URL)) {
    throw makeError('ERR_INVALID_ARG_TYPE', `vocabFile: expected a path, got ${show(vocabFile)}`);
  }
  const text = readVocabFile(vocabFile);
  return native(() => binding().parseVocab(text, String(vocabFile)));
}

function readVocabFile(path: string | URL): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw makeError('ERR_VOCAB_FILE', `vocabFile: '${String(path)}' cannot be read: ${reason}`, { cause });
  }
}
