/** The package's own steps. */
import { LogUniformSampler, sampledSoftmaxLoss, sampledSoftmaxLossSync } from 'sampled-softmax';
import { makeProblem, toBfloat16, type Problem } from './problem.ts';
import { median } from './timing.ts';

export interface OurSteps {
  /** The figure that all others are compared with: mean loss and unmerged sparse gradients, sampling included. */
  readonly step: () => unknown;
  /** The loss without gradients. */
  readonly forward: () => unknown;
  /** One gradient row per class. */
  readonly merged: () => unknown;
  /** 16-bit weights and inputs, multiplied in bfloat16 where the processor can. */
  readonly bfloat16: () => unknown;
  /** The sample and its expected counts alone. */
  readonly draw: () => unknown;
}

type StepOptions = ReturnType<typeof stepOptions>;

function stepOptions({ workload, weights, biases, inputs, labels }: Problem) {
  const { numSampled, numClasses } = workload;
  const sampler = new LogUniformSampler({ rangeMax: numClasses, numSampled, unique: true, seed: 1 });
  return { weights, biases, inputs, labels, numSampled, numClasses, sampler, reduction: 'mean', device: 'cpu', gradients: true } as const;
}

/** One step, in the form that everything is measured in. */
export function stepOf(problem: Problem): () => unknown {
  const options = stepOptions(problem);
  return () => sampledSoftmaxLossSync(options);
}

export function ourSteps(problem: Problem): OurSteps {
  const options = stepOptions(problem);
  const halves = halved(problem, options);
  return {
    step: () => sampledSoftmaxLossSync(options),
    forward: () => sampledSoftmaxLossSync({ ...options, gradients: false }),
    merged: () => sampledSoftmaxLossSync({ ...options, gradients: { mode: 'merged' } }),
    bfloat16: () => sampledSoftmaxLossSync(halves),
    draw: () => options.sampler.sample({ trueClasses: options.labels }),
  };
}

function halved({ workload, weights, inputs }: Problem, options: StepOptions) {
  const { batch, dim, numClasses } = workload;
  return {
    ...options,
    weights: { data: toBfloat16(weights), shape: [numClasses, dim], dtype: 'bfloat16' },
    inputs: { data: toBfloat16(inputs), shape: [batch, dim], dtype: 'bfloat16' },
    precision: 'high',
  } as const;
}

/** Microseconds that the Promise form takes beyond the Sync form, on a problem so small that nothing else counts. */
export async function promiseExtraMicroseconds(seconds: number): Promise<number> {
  const options = stepOptions(makeProblem({ name: 'small', batch: 16, dim: 16, numSampled: 16, numClasses: 1000, from: '' }));
  const sync: number[] = [];
  const promised: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const start = performance.now();
    sampledSoftmaxLossSync(options);
    const between = performance.now();
    await sampledSoftmaxLoss(options);
    promised.push(performance.now() - between);
    sync.push(between - start);
  }
  return (median(promised) - median(sync)) * 1000;
}
