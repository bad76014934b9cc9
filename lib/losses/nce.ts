/** Noise-contrastive estimation and sampled logistic regression (TensorFlow's `tf.nn.nce_loss`). */
import { sampledLoss, sampledLossSync, type SampledLossKind } from './sampled.ts';
import type { AsyncOptions, HitOptions, LossResult, Only, SampledLossOptions } from './types.ts';

/** Options of {@link nceLossSync}. Accidental hits are kept by default. */
export interface NceLossSyncOptions extends SampledLossOptions, HitOptions {}

/** Options of {@link nceLoss}. */
export interface NceLossOptions extends NceLossSyncOptions, AsyncOptions {}

/** Options of {@link sampledLogisticLossSync}. */
export interface SampledLogisticLossSyncOptions extends SampledLossOptions {}

/** Options of {@link sampledLogisticLoss}. */
export interface SampledLogisticLossOptions extends SampledLogisticLossSyncOptions, AsyncOptions {}

const nce: SampledLossKind = { name: 'nceLoss', loss: 'logistic', subtractLogQ: true, hits: 'keep' };
const logistic: SampledLossKind = { name: 'sampledLogisticLoss', loss: 'logistic', subtractLogQ: true, hits: 'always remove' };

/**
 * Noise-contrastive estimation: the sigmoid cross-entropy of each true and sampled logit, corrected by the log of the
 * class's expected count, summed over a row. The label of a true class is 1 / numTrue, as in TensorFlow.
 *
 * For row i, `z = x . w + b - log q`, and `loss_i = sum(softplus(z)) - sum(z_t) / numTrue`.
 *
 * @param options - weights `[numClasses, dim]`, biases `[numClasses]`, labels `[batch, numTrue]`, inputs `[batch, dim]`
 * @returns `loss` (`[batch]`, or a number where reduced), the sample that was used, and the gradients asked for
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong argument, named with its position and value
 * @throws SampledSoftmaxError `ERR_DRAW_LIMIT`, `ERR_OUT_OF_MEMORY`, `ERR_DISPOSED`, `ERR_DEVICE_UNAVAILABLE`, `ERR_DEVICE_FAILED`
 * @see https://www.tensorflow.org/api_docs/python/tf/nn/nce_loss
 */
export async function nceLoss<const O extends NceLossOptions>(options: Only<O, NceLossOptions>): Promise<LossResult<O>> {
  return (await sampledLoss(nce, options)) as LossResult<O>;
}

/** {@link nceLoss}, computed before it returns. */
export function nceLossSync<const O extends NceLossSyncOptions>(options: Only<O, NceLossSyncOptions>): LossResult<O> {
  return sampledLossSync(nce, options) as LossResult<O>;
}

/**
 * Sampled logistic regression: {@link nceLoss} with accidental hits left out, so that logits approximate log odds
 * (TensorFlow: `nce_loss(remove_accidental_hits=True)`).
 *
 * @param options - as for {@link nceLoss}, without `removeAccidentalHits`
 */
export async function sampledLogisticLoss<const O extends SampledLogisticLossOptions>(
  options: Only<O, SampledLogisticLossOptions>,
): Promise<LossResult<O>> {
  return (await sampledLoss(logistic, options)) as LossResult<O>;
}

/** {@link sampledLogisticLoss}, computed before it returns. */
export function sampledLogisticLossSync<const O extends SampledLogisticLossSyncOptions>(
  options: Only<O, SampledLogisticLossSyncOptions>,
): LossResult<O> {
  return sampledLossSync(logistic, options) as LossResult<O>;
}
