/** The processes of test/cuda-traffic.test.ts: what each calls of workloads.ts, and its environment. */
interface Run {
  readonly call: string;
  readonly environment?: Readonly<Record<string, string>>;
}

// Rows of 64 and of 80 elements are whole sectors, whatever their dtype is; others are not. Those of 17 end in padding.
export const runs = {
  'dim 64': { call: 'losses(64); tables(64)' },
  'dim 80': { call: 'losses(80); tables(80)' },
  'dim 36': { call: 'losses(36); tables(36)' },
  'dim 17': { call: 'losses(17); tables(17)' },
  chunks: { call: 'chunks()', environment: { SAMPLED_SOFTMAX_CUDA_KEPT_BYTES: '65536' } },
  biases: { call: 'biases()' },
} satisfies Record<string, Run>;

export type RunName = keyof typeof runs;

export const runNames = Object.keys(runs) as RunName[];
export const allRuns: Readonly<Record<RunName, Run>> = runs;
