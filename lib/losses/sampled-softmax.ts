/** Sampled softmax (TensorFlow's `tf.nn.sampled_softmax_loss`). */
import { sampledLoss, sampledLossSync, type SampledLossKind } from './sampled.ts';
import type { AsyncOptions, HitOptions, LossResult, Only, SampledLossOptions } from './types.ts';

/** Options of {@link sampledSoftmaxLossSync}. Accidental hits are left out by default. */
export interface SampledSoftmaxLossSyncOptions extends SampledLossOptions, HitOptions {}

/** Options of {@link sampledSoftmaxLoss}. */
export interface SampledSoftmaxLossOptions extends SampledSoftmaxLossSyncOptions, AsyncOptions {}

const kind: SampledLossKind = { name: 'sampledSoftmaxLoss', loss: 'softmax', subtractLogQ: true, hits: 'remove' };

/**
 * The softmax cross-entropy of each row over its true classes and a sample of all classes shared by the batch, with the
 * logits corrected by the log of each class's expected count: an estimate of the full softmax at a fraction of its cost.
 * Use it for training; evaluate with {@link softmaxLoss}.
 *
 * For row i with true classes t and sampled classes s, `z = x . w + b - log q`, and
 * `loss_i = logsumexp(z_t, z_s) - mean(z_t)`. Sampled classes that are a true class of the row (accidental hits) are
 * left out. Gradients are those of TensorFlow 2.21: nothing flows to ids and counts.
 *
 * @param options - weights `[numClasses, dim]`, biases `[numClasses]`, labels `[batch, numTrue]`, inputs `[batch, dim]`
 * @returns `loss` (`[batch]`, or a number where reduced), the sample that was used, and the gradients asked for
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong argument, named with its position and value
 * @throws SampledSoftmaxError `ERR_DRAW_LIMIT`, `ERR_OUT_OF_MEMORY`, `ERR_DISPOSED`, `ERR_DEVICE_UNAVAILABLE`, `ERR_DEVICE_FAILED`
 * @see https://www.tensorflow.org/api_docs/python/tf/nn/sampled_softmax_loss
 */
export async function sampledSoftmaxLoss<const O extends SampledSoftmaxLossOptions>(
  options: Only<O, SampledSoftmaxLossOptions>,
): Promise<LossResult<O>> {
  return (await sampledLoss(kind, options)) as LossResult<O>;
}

/** {@link sampledSoftmaxLoss}, computed before it returns. */
export function sampledSoftmaxLossSync<const O extends SampledSoftmaxLossSyncOptions>(
  options: Only<O, SampledSoftmaxLossSyncOptions>,
): LossResult<O> {
  return sampledLossSync(kind, options) as LossResult<O>;
}
