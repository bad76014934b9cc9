/** Log-uniform (Zipf) candidate sampling. */
import { checkOptions } from '../checks.ts';
import { CandidateSampler, own, readSamplerOptions, samplerOptions, type WidenedOptions } from './sampler.ts';

/**
 * Draws class `k` with probability `ln((k + 2) / (k + 1)) / ln(rangeMax + 1)`: for classes sorted by falling frequency, as
 * words of a vocabulary or items of a catalogue usually are.
 *
 * Ids are those of TensorFlow 2.21 for the same seeds, draw after draw. A bigint `rangeMax`, up to 2^63 - 1, gives ids in a
 * `BigInt64Array`. Expected counts agree with TensorFlow's to 4 units in the last place of float32 for ranges up to 2^28;
 * beyond, they are accurate where TensorFlow's are not.
 *
 * @see https://www.tensorflow.org/api_docs/python/tf/random/log_uniform_candidate_sampler
 */
export class LogUniformSampler<R extends number | bigint = number> extends CandidateSampler<R> {
  /**
   * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong option, named with its value
   * @throws SampledSoftmaxRangeError `ERR_DRAW_IMPOSSIBLE` where `numSampled` distinct classes do not exist
   */
  constructor(options: WidenedOptions<R>) {
    checkOptions('LogUniformSampler', options, samplerOptions);
    super(own, readSamplerOptions('log-uniform', options, 2 ** 31 - 1, true));
  }
}
