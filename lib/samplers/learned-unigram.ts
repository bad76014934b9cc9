/** Candidate sampling from the distribution that the true classes have shown so far. */
import { checkOptions } from '../checks.ts';
import { CandidateSampler, own, readSamplerOptions, samplerOptions, type SamplerOptions } from './sampler.ts';

/**
 * Draws classes as often as they have been true ones: every class starts with the weight 1, and after each draw every true
 * class of that batch adds 1 to its weight, repeats counted, until the weights sum to 2^31 - 1.
 *
 * Ids are those of TensorFlow 2.21 for the same seeds and batches. The memory is 8 bytes per class, of which the
 * operating system hands out the parts that are used. What was learned is part of {@link CandidateSampler.state}.
 *
 * @see https://www.tensorflow.org/api_docs/python/tf/random/learned_unigram_candidate_sampler
 */
export class LearnedUnigramSampler extends CandidateSampler<number> {
  /**
   * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong option, named with its value; `rangeMax` may be up
   * to 2^31 - 2
   * @throws SampledSoftmaxRangeError `ERR_DRAW_IMPOSSIBLE` where `numSampled` distinct classes do not exist
   * @throws SampledSoftmaxError `ERR_OUT_OF_MEMORY`
   */
  constructor(options: SamplerOptions) {
    checkOptions('LearnedUnigramSampler', options, samplerOptions);
    super(own, readSamplerOptions('learned-unigram', options, 2 ** 31 - 2, false));
  }
}
