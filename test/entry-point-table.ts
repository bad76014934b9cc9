/** Every entry point of the package, with arguments that are right, and where these hold values and ids. */
import { expect } from 'vitest';
import {
  AllCandidateSampler,
  allCandidateSampler,
  computeAccidentalHits,
  EmbeddingTable,
  FixedUnigramSampler,
  fixedUnigramCandidateSampler,
  LearnedUnigramSampler,
  learnedUnigramCandidateSampler,
  LogUniformSampler,
  logUniformCandidateSampler,
  softmaxLoss,
  softmaxLossSync,
  UniformSampler,
  uniformCandidateSampler,
} from '../lib/index.ts';
import { SampledSoftmaxLoss } from '../lib/mindspore.ts';
import { randoms } from './arrays.ts';
import { sampledLosses, sampledLossNames } from './problems.ts';

export type Options = Record<string, unknown>;
export type AnyArray = Float32Array | Float64Array | Int32Array | BigInt64Array;

export interface Argument {
  readonly path: string;
  readonly anyLength?: boolean;
  readonly lengthCode?: string;
}

interface ValueArgument extends Argument {
  /** Whether an array of numbers will do. */
  readonly plain?: boolean;
  /** NaN and infinities are refused. */
  readonly finite?: boolean;
}

interface IdArgument extends Argument {
  /** Ids must be below it; undefined: any id will do. */
  readonly limit?: number;
  /** How many ids make a row: positions are named by row and column. */
  readonly width: number;
}

export interface Entry {
  readonly name: string;
  readonly run: (options: never) => unknown;
  /** New arguments, always the same. */
  readonly good: () => Options;
  readonly values: readonly ValueArgument[];
  readonly ids: readonly IdArgument[];
  /** Arguments of nothing, and what comes back. */
  readonly empty: readonly { title: string; options: () => Options; check: (result: never) => void }[];
}

export const [batch, dim, numClasses, numTrue] = [3, 4, 11, 2];
const lossOptions = (): Options => ({
  weights: randoms(numClasses * dim, 1),
  biases: randoms(numClasses, 2),
  labels: Int32Array.of(0, 5, 10, 3, 5, 1),
  inputs: randoms(batch * dim, 3),
  numClasses,
  numTrue,
  gradients: { upstream: Float32Array.of(1, 0.5, 2), mode: 'dense' },
});
const lossValues = [{ path: 'weights' }, { path: 'biases' }, { path: 'inputs' }, { path: 'gradients.upstream', plain: true }];
const labels = { path: 'labels', limit: numClasses, width: numTrue };

const sampledOptions = (): Options => ({
  ...lossOptions(),
  sampledValues: {
    sampledCandidates: Int32Array.of(2, 5, 8, 0),
    trueExpectedCount: Float32Array.of(0.5, 0.1, 0.2, 0.3, 0.1, 0.4),
    sampledExpectedCount: Float32Array.of(0.4, 0.1, 0.3, 0.5),
  },
});

const lossesOfNothing = (good: () => Options): Entry['empty'] => [
  {
    title: 'an empty batch',
    options: () => {
      const { sampledValues, ...options } = good() as { sampledValues?: Options };
      const values = sampledValues && { sampledValues: { ...sampledValues, trueExpectedCount: [] } };
      return { ...options, ...values, labels: [], inputs: new Float32Array(0), gradients: { mode: 'dense' } };
    },
    check: ({ loss, gradients }: { loss: unknown; gradients: Options }) => {
      expect(loss).toEqual(new Float32Array(0));
      expect(gradients['inputs']).toEqual(new Float32Array(0));
      expect(gradients['weights']).toEqual(new Float32Array(numClasses * dim));
    },
  },
  {
    title: 'dim 0',
    options: () => ({ ...good(), weights: new Float32Array(0), inputs: new Float32Array(0) }),
    check: ({ loss, gradients }: { loss: Float32Array; gradients: Options }) => {
      expect(loss.every(Number.isFinite) && loss.length === batch).toBe(true);
      expect(gradients['weights']).toEqual(new Float32Array(0));
    },
  },
  {
    title: 'one class',
    options: () => {
      const { sampledValues, ...options } = good() as { sampledValues?: Options };
      const values = sampledValues && { sampledValues: { sampledCandidates: [0], trueExpectedCount: [1], sampledExpectedCount: [1] } };
      return {
        ...options,
        ...values,
        weights: randoms(4, 1),
        biases: [randoms(1, 2)],
        labels: [0, 0],
        inputs: randoms(4, 3),
        numClasses: 1,
        gradients: true,
      };
    },
    check: ({ loss }: { loss: Float32Array }) => {
      expect(loss.length === 1 && Number.isFinite(loss[0])).toBe(true);
    },
  },
];

export const lossEntries: Entry[] = [
  ...sampledLossNames.flatMap((name) =>
    (['later', 'now'] as const).map((form) => ({
      name: form === 'later' ? name : `${name}Sync`,
      run: sampledLosses[name][form],
      good: sampledOptions,
      values: [
        ...lossValues,
        { path: 'sampledValues.trueExpectedCount', plain: true },
        { path: 'sampledValues.sampledExpectedCount', plain: true },
      ].filter(({ path }) => name !== 'negativeSamplingLoss' || !path.includes('ExpectedCount')),
      ids: [labels, { path: 'sampledValues.sampledCandidates', limit: numClasses, width: 1 }],
      empty: lossesOfNothing(sampledOptions),
    })),
  ),
  ...[softmaxLoss, softmaxLossSync].map((run) => ({
    name: run.name,
    run,
    good: lossOptions,
    values: lossValues,
    ids: [labels],
    empty: lossesOfNothing(lossOptions),
  })),
];

const mindsporeOptions = (): Options => {
  const { numClasses: _, numTrue: __, ...options } = lossOptions();
  return options;
};
const mindsporeOf = (): SampledSoftmaxLoss => new SampledSoftmaxLoss({ numSampled: 3, numClasses, numTrue, seed: 5 });
const mindsporeEntries: Entry[] = [
  { name: 'mindspore forward', run: (options: never) => mindsporeOf().forward(options) },
  { name: 'mindspore forwardSync', run: (options: never) => mindsporeOf().forwardSync(options) },
].map((entry) => ({
  ...entry,
  good: mindsporeOptions,
  values: lossValues,
  ids: [labels],
  empty: lossesOfNothing(mindsporeOptions).slice(0, 2),
}));

const draws = { trueClasses: Int32Array.of(3, 0, 1, 9, 2, 3, 4, 5), numTrue: 2, numSampled: 4 };
const ranged = { ...draws, rangeMax: 11, seed: 3 };
const unigrams = (): Float32Array => Float32Array.of(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5);
const samplersOf = [
  [UniformSampler, uniformCandidateSampler, () => ({ ...ranged })],
  [LogUniformSampler, logUniformCandidateSampler, () => ({ ...ranged })],
  [LearnedUnigramSampler, learnedUnigramCandidateSampler, () => ({ ...ranged })],
  [FixedUnigramSampler, fixedUnigramCandidateSampler, () => ({ ...ranged, unigrams: unigrams() })],
  [AllCandidateSampler, allCandidateSampler, () => ({ ...draws, numSampled: 11 })],
] as const;
const samplerEntries: Entry[] = samplersOf.flatMap(([Sampler, draw, good]) => {
  const one = (run: Entry['run'], name: string): Entry => ({
    name,
    run,
    good,
    values: Sampler === FixedUnigramSampler ? [{ path: 'unigrams', plain: true, finite: true, lengthCode: 'ERR_INVALID_ARG_VALUE' }] : [],
    ids: [{ path: 'trueClasses', limit: 11, width: 2 }],
    empty: [
      {
        title: 'an empty batch',
        options: () => ({ ...good(), trueClasses: [] }),
        check: ({ trueExpectedCount, sampledCandidates }: { trueExpectedCount: unknown; sampledCandidates: Int32Array }) => {
          expect(trueExpectedCount).toEqual(new Float32Array(0));
          expect(sampledCandidates).toHaveLength(good().numSampled);
        },
      },
      {
        title: 'one class',
        options: () => {
          const options = { ...good(), trueClasses: [0, 0], numSampled: 1 };
          return { ...options, ...('rangeMax' in options ? { rangeMax: 1 } : {}), ...('unigrams' in options ? { unigrams: [0.5] } : {}) };
        },
        check: ({ sampledCandidates }: { sampledCandidates: Int32Array }) => expect(sampledCandidates).toEqual(Int32Array.of(0)),
      },
    ],
  });
  const sample = ({ trueClasses, numTrue: width, ...own }: Options): unknown =>
    new (Sampler as unknown as new (own: Options) => UniformSampler)(own).sample({ trueClasses, numTrue: width } as never);
  return [one(draw, draw.name), one(sample, `${Sampler.name}.sample`)];
});

const hits: Entry = {
  name: 'computeAccidentalHits',
  run: computeAccidentalHits,
  good: () => ({ trueClasses: Int32Array.of(1, 2, 3, 9), numTrue: 2, sampledCandidates: Int32Array.of(9, 2, 2) }),
  values: [],
  ids: [
    { path: 'trueClasses', width: 2 },
    { path: 'sampledCandidates', width: 1, anyLength: true },
  ],
  empty: ['trueClasses', 'sampledCandidates'].map((path) => ({
    title: `no ${path}`,
    options: () => ({ trueClasses: [1], sampledCandidates: [1], [path]: [] }),
    check: (result: never) => expect(result).toEqual({ indices: new Int32Array(0), ids: new Int32Array(0), weights: new Float32Array(0) }),
  })),
};

const [rows, width] = [7, 3];
export const table = (): EmbeddingTable<'float32'> => EmbeddingTable.createSync({ rows, dim: width, init: 'normal', seed: 1 });
const indices = { path: 'indices', limit: rows, width: 1 };
const rowOptions = (): Options => ({ indices: Int32Array.of(6, 0, 3, 1), values: randoms(12, 4) });
const tableEntry = (
  name: string,
  call: (t: EmbeddingTable, options: { indices: never; values: never }) => unknown,
  values: boolean,
): Entry => ({
  name: `EmbeddingTable.${name}`,
  run: async (options: never) => {
    const t = table();
    return [await call(t, options), t.viewSync(0, rows)];
  },
  good: () => {
    const options = rowOptions();
    return values ? options : { indices: options['indices'] };
  },
  values: values ? [{ path: 'values' }] : [],
  ids: [{ ...indices, anyLength: !values }],
  empty: [
    {
      title: 'no rows',
      options: () => ({ indices: [], values: new Float32Array(0) }),
      check: (result: unknown[]) => expect(result[1]).toEqual(table().viewSync(0, rows)),
    },
  ],
});
const tableEntries: Entry[] = [
  tableEntry('read', (t, o) => t.read(o.indices), false),
  tableEntry('readSync', (t, o) => t.readSync(o.indices), false),
  tableEntry('write', (t, o) => t.write(o.indices, o.values), true),
  tableEntry(
    'writeSync',
    (t, o) => {
      t.writeSync(o.indices, o.values);
    },
    true,
  ),
  tableEntry('add', (t, o) => t.add(o, -0.5), true),
  tableEntry(
    'addSync',
    (t, o) => {
      t.addSync(o, -0.5);
    },
    true,
  ),
  ...(['fromValues', 'fromValuesSync'] as const).map((name): Entry => ({
    name: `EmbeddingTable.${name}`,
    run: async ({ values }: { values: never }) => (await EmbeddingTable[name](values)).viewSync(0, rows),
    good: () => ({ values: { data: randoms(rows * width, 5), shape: [rows, width] } }),
    values: [{ path: 'values.data' }],
    ids: [],
    empty: [],
  })),
];

export const entries = [...lossEntries, ...mindsporeEntries, ...samplerEntries, hits, ...tableEntries];
