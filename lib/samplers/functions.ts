/** The samplers as functions under TensorFlow's names: one draw of a fresh sampler each. */
import { checkOptions } from '../checks.ts';
import { AllCandidateSampler, type AllCandidateSamplerOptions } from './all-candidate.ts';
import { FixedUnigramSampler, type FixedUnigramSamplerOptions } from './fixed-unigram.ts';
import { LearnedUnigramSampler } from './learned-unigram.ts';
import { LogUniformSampler } from './log-uniform.ts';
import type { CandidateSampler, Sample, SampleOptions, SamplerOptions, WidenedOptions } from './sampler.ts';
import { UniformSampler } from './uniform.ts';

/**
 * One draw of a new {@link UniformSampler}: the same `seed` gives the same draw on every call.
 *
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - as the sampler's constructor and `sample`
 * @see https://www.tensorflow.org/api_docs/python/tf/random/uniform_candidate_sampler
 */
export function uniformCandidateSampler<R extends number | bigint>(options: WidenedOptions<R> & SampleOptions): Sample<R> {
  return drawOnce('uniformCandidateSampler', options, (own) => new UniformSampler<R>(own));
}

/**
 * One draw of a new {@link LogUniformSampler}: the same `seed` gives the same draw on every call.
 *
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - as the sampler's constructor and `sample`
 * @see https://www.tensorflow.org/api_docs/python/tf/random/log_uniform_candidate_sampler
 */
export function logUniformCandidateSampler<R extends number | bigint>(options: WidenedOptions<R> & SampleOptions): Sample<R> {
  return drawOnce('logUniformCandidateSampler', options, (own) => new LogUniformSampler<R>(own));
}

/**
 * One draw of a new {@link LearnedUnigramSampler}, which has learned nothing yet and so draws uniformly. To learn, keep
 * the sampler.
 *
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - as the sampler's constructor and `sample`
 * @see https://www.tensorflow.org/api_docs/python/tf/random/learned_unigram_candidate_sampler
 */
export function learnedUnigramCandidateSampler(options: SamplerOptions & SampleOptions): Sample {
  return drawOnce('learnedUnigramCandidateSampler', options, (own) => new LearnedUnigramSampler(own));
}

/**
 * One draw of a new {@link FixedUnigramSampler}. Each call builds the sampler's table anew; to draw more than once, keep
 * the sampler.
 *
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - as the sampler's constructor and `sample`
 * @throws SampledSoftmaxError `ERR_VOCAB_FILE`
 * @see https://www.tensorflow.org/api_docs/python/tf/random/fixed_unigram_candidate_sampler
 */
export function fixedUnigramCandidateSampler(options: FixedUnigramSamplerOptions & SampleOptions): Sample {
  return drawOnce('fixedUnigramCandidateSampler', options, (own) => new FixedUnigramSampler(own));
}

/**
 * The classes 0 to `numSampled - 1`, with counts of 1 ({@link AllCandidateSampler}).
 *
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - as the sampler's constructor and `sample`
 * @see https://www.tensorflow.org/api_docs/python/tf/random/all_candidate_sampler
 */
export function allCandidateSampler(options: AllCandidateSamplerOptions & SampleOptions): Sample {
  return drawOnce('allCandidateSampler', options, (own) => new AllCandidateSampler(own));
}

function drawOnce<O extends object, R extends number | bigint>(
  where: string,
  options: O & SampleOptions,
  make: (own: Omit<O & SampleOptions, keyof SampleOptions> & O) => CandidateSampler<R>,
): Sample<R> {
  checkOptions(where, options, Object.keys(options ?? {})); // an object; the sampler knows which keys it has
  const { trueClasses, numTrue, ...own } = options;
  const sampler = make(own as never);
  try {
    return sampler.sample({ trueClasses, numTrue });
  } finally {
    sampler.dispose();
  }
}
