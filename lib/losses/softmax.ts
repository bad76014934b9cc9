/** The full softmax over all classes: for evaluation, and for catalogues small enough to train with it. */
import { binding } from '../binding.ts';
import { checkOptions } from '../checks.ts';
import { native } from '../errors.ts';
import type { GradientOptions } from '../gradients.ts';
import { buildCall, checkMemory, readSignal, runAsync } from './call.ts';
import { commonOptions, readProblem, type Problem } from './prepare.ts';
import type { AsyncOptions, LossOptions, Only, SoftmaxLossResult } from './types.ts';

/** Options of {@link softmaxLossSync}. Gradients of weights and biases are dense. */
export interface SoftmaxLossSyncOptions extends LossOptions {
  readonly gradients?: boolean | DenseGradientOptions | undefined;
}

/** What may be asked of the gradients of a full softmax, which touches every class. */
export interface DenseGradientOptions extends GradientOptions {
  /** The only one there is, and the default. */
  readonly mode?: 'dense';
  /** Dense gradients do not stay on a device. */
  readonly onDevice?: false;
}

/** Options of {@link softmaxLoss}. */
export interface SoftmaxLossOptions extends SoftmaxLossSyncOptions, AsyncOptions {}

/**
 * The softmax cross-entropy of each row over all classes, with the label 1 / numTrue on each true class. It streams over
 * blocks of classes: no `[batch, numClasses]` matrix is ever stored.
 *
 * `loss_i = logsumexp_c(x_i . w_c + b_c) - mean_t(x_i . w_t + b_t)`.
 *
 * @param options - weights `[numClasses, dim]`, biases `[numClasses]`, labels `[batch, numTrue]`, inputs `[batch, dim]`
 * @returns `loss` (`[batch]`, or a number where reduced) and the gradients asked for; those of weights and biases are dense
 * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong argument, named with its position and value;
 * `ERR_OUT_OF_RANGE` too for more than 2^32 classes with dim 0, as time goes with the classes
 * @throws SampledSoftmaxError `ERR_OUT_OF_MEMORY`, `ERR_DISPOSED`, `ERR_DEVICE_UNAVAILABLE`, `ERR_DEVICE_FAILED`
 * @see https://www.tensorflow.org/api_docs/python/tf/nn/softmax_cross_entropy_with_logits
 */
export async function softmaxLoss<const O extends SoftmaxLossOptions>(options: Only<O, SoftmaxLossOptions>): Promise<SoftmaxLossResult<O>> {
  const { problem, signal, built } = prepare('softmaxLoss', options, true);
  const kept = await runAsync(problem, signal, (abortFlag) => binding().softmaxLossAsync(...built.call, abortFlag));
  return built.finish(kept) as SoftmaxLossResult<O>;
}

/** {@link softmaxLoss}, computed before it returns. */
export function softmaxLossSync<const O extends SoftmaxLossSyncOptions>(options: Only<O, SoftmaxLossSyncOptions>): SoftmaxLossResult<O> {
  const { built } = prepare('softmaxLossSync', options, false);
  return built.finish(native(() => binding().softmaxLoss(...built.call))) as SoftmaxLossResult<O>;
}

interface Prepared {
  readonly problem: Problem;
  readonly signal: AbortSignal | undefined;
  readonly built: ReturnType<typeof buildCall>;
}

function prepare(where: string, options: SoftmaxLossOptions, asynchronous: boolean): Prepared {
  checkOptions(where, options, asynchronous ? [...commonOptions, 'signal'] : commonOptions);
  const signal = asynchronous ? readSignal(options.signal) : undefined;
  const problem = readProblem(where, options, asynchronous, undefined, ['dense']);
  checkMemory(problem, 0);
  return { problem, signal, built: buildCall(problem) };
}
