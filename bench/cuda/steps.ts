/** The package's steps on a GPU. Weights, biases and inputs are tables there: a plain array would be copied over in every call. */
import {
  EmbeddingTable,
  LogUniformSampler,
  sampledSoftmaxLoss,
  sampledSoftmaxLossSync,
  type CudaDevice,
  type DeviceRowGradients,
  type Precision,
} from 'sampled-softmax';
import type { Products } from '../cuda-model.ts';
import { makeLabels } from '../problem.ts';
import type { Workload } from '../workloads.ts';

/**
 * `sparse`: unmerged gradients, which come to the host; `merged`: those of weights and biases are merged and stay on the
 * device; `training`: they are added to the tables there, too.
 */
export const stepNames = ['sparse', 'merged', 'training'] as const;
export type StepName = (typeof stepNames)[number];

/** A step in both forms. The Promise form may be called again before it has settled; the steps then run in the order of the calls. */
export interface Step {
  readonly sync: () => void;
  readonly promised: () => Promise<unknown>;
}

type Stored = 'float32' | 'bfloat16';

const storedAs: Record<Products, Stored> = { float32: 'float32', tf32: 'float32', bfloat16: 'bfloat16' };
const precisions: Record<Products, Precision> = { float32: 'highest', tf32: 'high', bfloat16: 'high' };
const rate = 0.01;

interface Tables {
  readonly weights: EmbeddingTable<Stored>;
  readonly biases: EmbeddingTable<'float32'>;
  readonly inputs: EmbeddingTable<Stored>;
}

/** Does something with the steps; their tables live no longer than that. */
export async function withSteps(
  workload: Workload,
  arithmetic: Products,
  device: CudaDevice['name'],
  use: (steps: Record<StepName, Step>) => Promise<void>,
): Promise<void> {
  const tables = await makeTables(workload, storedAs[arithmetic], device);
  try {
    await use(makeSteps(workload, tables, precisions[arithmetic]));
  } finally {
    for (const table of Object.values(tables) as EmbeddingTable[]) table.dispose();
  }
}

async function makeTables({ batch, dim, numClasses }: Workload, dtype: Stored, device: CudaDevice['name']): Promise<Tables> {
  const uniform = (bound: number) => ({ type: 'uniform', min: -bound, max: bound }) as const;
  return {
    weights: await EmbeddingTable.create({ rows: numClasses, dim, dtype, init: uniform(0.05), seed: 1, device }),
    biases: await EmbeddingTable.create({ rows: numClasses, dim: 1, init: uniform(0.01), seed: 2, device }),
    inputs: await EmbeddingTable.create({ rows: batch, dim, dtype, init: uniform(1), seed: 3, device }),
  };
}

function makeSteps(workload: Workload, tables: Tables, precision: Precision): Record<StepName, Step> {
  const { numSampled, numClasses } = workload;
  const sampler = new LogUniformSampler({ rangeMax: numClasses, numSampled, unique: true, seed: 1 });
  const options = { ...tables, labels: makeLabels(workload), sampler, reduction: 'mean', precision } as const;
  const sparse = { ...options, gradients: true } as const;
  const merged = { ...options, gradients: { mode: 'merged', onDevice: true } } as const;
  return {
    sparse: {
      sync: () => void checkLoss(sampledSoftmaxLossSync(sparse)),
      promised: async () => checkLoss(await sampledSoftmaxLoss(sparse)),
    },
    merged: {
      sync: () => dispose(checkLoss(sampledSoftmaxLossSync(merged)).gradients),
      promised: async () => dispose(checkLoss(await sampledSoftmaxLoss(merged)).gradients),
    },
    training: {
      sync: () => {
        const { gradients } = checkLoss(sampledSoftmaxLossSync(merged));
        tables.weights.addSync(gradients.weights, -rate);
        tables.biases.addSync(gradients.biases, -rate);
        dispose(gradients);
      },
      promised: inOrder(async () => {
        const { gradients } = checkLoss(await sampledSoftmaxLoss(merged));
        const adds = [tables.weights.add(gradients.weights, -rate), tables.biases.add(gradients.biases, -rate)];
        // Their memory is given back when the additions have ended.
        dispose(gradients);
        return adds;
      }),
    },
  };
}

/**
 * A training step whose loss is asked for once the additions of the step before have been asked for, though not awaited:
 * they take effect in this order, so that every step sees the update of the one before.
 */
function inOrder(begin: () => Promise<Promise<void>[]>): () => Promise<unknown> {
  let before: Promise<unknown> = Promise.resolve();
  return () => {
    const begun = before.then(begin);
    before = begun;
    return begun.then((adds) => Promise.all(adds));
  };
}

/** A step that computes nonsense is not worth a time. */
function checkLoss<R extends { readonly loss: number }>(result: R): R {
  if (!Number.isFinite(result.loss)) throw new Error(`the loss is ${result.loss}`);
  return result;
}

interface OnDevice {
  readonly weights: DeviceRowGradients;
  readonly biases: DeviceRowGradients;
}

function dispose({ weights, biases }: OnDevice): void {
  weights.dispose();
  biases.dispose();
}
