/** Uniform candidate sampling. */
import { checkOptions } from '../checks.ts';
import { CandidateSampler, own, readSamplerOptions, samplerOptions, type WidenedOptions } from './sampler.ts';

/**
 * Draws every class of `[0, rangeMax)` with the same probability.
 *
 * Ids are those of TensorFlow 2.21 for the same seeds, draw after draw. A bigint `rangeMax`, up to 2^63 - 1, gives ids in a
 * `BigInt64Array`. Expected counts agree with TensorFlow's to 4 units in the last place of float32 for ranges up to 2^28.
 *
 * @see https://www.tensorflow.org/api_docs/python/tf/random/uniform_candidate_sampler
 */
export class UniformSampler<R extends number | bigint = number> extends CandidateSampler<R> {
  /**
   * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong option, named with its value
   * @throws SampledSoftmaxRangeError `ERR_DRAW_IMPOSSIBLE` where `numSampled` distinct classes do not exist
   */
  constructor(options: WidenedOptions<R>) {
    checkOptions('UniformSampler', options, samplerOptions);
    super(own, readSamplerOptions('uniform', options, 2 ** 31 - 1, true));
  }
}
