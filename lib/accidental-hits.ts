/** Which sampled classes are a true class of a row. */
import { readIds, type Ids } from './arrays.ts';
import { binding } from './binding.ts';
import { checkChoice, checkInteger, checkOptions } from './checks.ts';
import { makeError, native } from './errors.ts';
import { batchOf } from './losses/prepare.ts';

/** Options of {@link computeAccidentalHits}. */
export interface AccidentalHitsOptions {
  /** `[batch, numTrue]`; `[batch]` will do where `numTrue` is 1. */
  readonly trueClasses: Ids;
  /** `[numSampled]`; may hold a class several times. */
  readonly sampledCandidates: Ids;
  /** Default 1. */
  readonly numTrue?: number | undefined;
  /** `'tensorflow'`: of a class that was sampled several times only the last copy is reported. */
  readonly compat?: 'tensorflow' | undefined;
}

/** Accidental hits, one entry each, by row, true class and position. */
export interface AccidentalHits {
  /** The rows of the batch. */
  readonly indices: Int32Array;
  /** The positions in `sampledCandidates`. */
  readonly ids: Int32Array;
  /** -FLT_MAX each: what TensorFlow adds to the logits. */
  readonly weights: Float32Array;
}

const largestFloat32 = 3.4028234663852886e38;

/**
 * The sampled classes that are a true class of a row. Every copy of a class that was sampled several times is reported
 * (TensorFlow reports the last one: `compat: 'tensorflow'`); a true class repeated in its row is reported as often.
 *
 * The losses find accidental hits by themselves; this function is for code that handles logits of its own.
 *
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong argument, named with its position and value
 * @see https://www.tensorflow.org/api_docs/python/tf/nn/compute_accidental_hits
 */
export function computeAccidentalHits(options: AccidentalHitsOptions): AccidentalHits {
  checkOptions('computeAccidentalHits', options, ['trueClasses', 'sampledCandidates', 'numTrue', 'compat']);
  const { numTrue: stated, compat } = options;
  const numTrue = stated === undefined ? 1 : checkInteger('numTrue', stated, 1, 2 ** 31 - 1);
  const lastOnly = compat !== undefined && checkChoice('compat', compat, ['tensorflow']) === 'tensorflow';
  const trueClasses = readIds('trueClasses', options.trueClasses);
  batchOf('trueClasses', trueClasses.ids.length, trueClasses.shape, numTrue);
  const sampled = readIds('sampledCandidates', options.sampledCandidates);
  if (sampled.shape !== undefined && sampled.shape.length !== 1) {
    throw makeError('ERR_SHAPE_MISMATCH', `sampledCandidates: expected shape [numSampled], got [${sampled.shape.join(', ')}]`);
  }
  const { indices, ids } = native(() => binding().computeAccidentalHits(trueClasses.ids, sampled.ids, numTrue, lastOnly));
  return { indices, ids: ids as Int32Array, weights: new Float32Array(indices.length).fill(-largestFloat32) };
}
