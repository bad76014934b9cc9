/** All classes as candidates. */
import { checkInteger, checkOptions } from '../checks.ts';
import { CandidateSampler, maxSampled, own } from './sampler.ts';

/** Options of {@link AllCandidateSampler}. */
export interface AllCandidateSamplerOptions {
  /** The number of classes, all of which are candidates: 1 to 2^28. */
  readonly numSampled: number;
}

/**
 * "Draws" the classes 0 to `numSampled - 1` in order, each with the expected count 1: a sampled softmax over them, with
 * accidental hits removed, is the full softmax.
 *
 * @see https://www.tensorflow.org/api_docs/python/tf/random/all_candidate_sampler
 */
export class AllCandidateSampler extends CandidateSampler<number> {
  /** @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong option, named with its value */
  constructor(options: AllCandidateSamplerOptions) {
    checkOptions('AllCandidateSampler', options, ['numSampled']);
    const numSampled = checkInteger('numSampled', options.numSampled, 1, maxSampled);
    super(own, { kind: 'all-candidate', rangeMax: numSampled, numSampled });
  }
}
