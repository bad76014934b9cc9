/** Negative sampling, word2vec's loss: logistic, without correction for the sampler. */
import { sampledLoss, sampledLossSync, type SampledLossKind } from './sampled.ts';
import type { AsyncOptions, HitOptions, LossResult, Only, SampledLossOptions } from './types.ts';

/** Options of {@link negativeSamplingLossSync}. Accidental hits are kept by default. */
export interface NegativeSamplingLossSyncOptions extends SampledLossOptions, HitOptions {}

/** Options of {@link negativeSamplingLoss}. */
export interface NegativeSamplingLossOptions extends NegativeSamplingLossSyncOptions, AsyncOptions {}

const kind: SampledLossKind = { name: 'negativeSamplingLoss', loss: 'logistic', subtractLogQ: false, hits: 'keep' };

/**
 * Negative sampling (Mikolov et al. 2013): {@link nceLoss} without the subtraction of log q, so that logits approximate
 * the log of P(class | row) / Q(class). Expected counts take no part; `sampledValues` may leave them out.
 *
 * @param options - as for {@link nceLoss}
 * @see https://arxiv.org/abs/1310.4546
 */
export async function negativeSamplingLoss<const O extends NegativeSamplingLossOptions>(
  options: Only<O, NegativeSamplingLossOptions>,
): Promise<LossResult<O>> {
  return (await sampledLoss(kind, options)) as LossResult<O>;
}

/** {@link negativeSamplingLoss}, computed before it returns. */
export function negativeSamplingLossSync<const O extends NegativeSamplingLossSyncOptions>(
  options: Only<O, NegativeSamplingLossSyncOptions>,
): LossResult<O> {
  return sampledLossSync(kind, options) as LossResult<O>;
}
