/**
 * 40,000 random calls, right and wrong, of every entry point: each gives a sane result, or throws an error with a code of
 * the list; none crashes or hangs. A case that fails is printed as JSON, with the seed that makes it again.
 */
import { describe, expect, it } from 'vitest';
import {
  AllCandidateSampler,
  allCandidateSampler,
  computeAccidentalHits,
  devices,
  EmbeddingTable,
  FixedUnigramSampler,
  fixedUnigramCandidateSampler,
  info,
  LearnedUnigramSampler,
  learnedUnigramCandidateSampler,
  LogUniformSampler,
  logUniformCandidateSampler,
  setThreads,
  softmaxLoss,
  softmaxLossSync,
  UniformSampler,
  uniformCandidateSampler,
  type ErrorCode,
} from '../lib/index.ts';
import { SampledSoftmaxLoss } from '../lib/mindspore.ts';
import { sized } from './device.ts';
import { sampledLosses, sampledLossNames } from './problems.ts';
import { lossOptions, mutate, Random, samplerOptions, type Options } from './random-arguments.ts';

// A record, so that the type check finds a code that is missing here.
const codes: Record<ErrorCode, true> = {
  ERR_INVALID_ARG_TYPE: true,
  ERR_INVALID_ARG_VALUE: true,
  ERR_UNKNOWN_OPTION: true,
  ERR_SHAPE_MISMATCH: true,
  ERR_OUT_OF_RANGE: true,
  ERR_DETACHED_BUFFER: true,
  ERR_RESIZABLE_BUFFER: true,
  ERR_OVERLAP: true,
  ERR_DRAW_IMPOSSIBLE: true,
  ERR_DRAW_LIMIT: true,
  ERR_OUT_OF_MEMORY: true,
  ERR_DISPOSED: true,
  ERR_UNKNOWN_TOKEN: true,
  ERR_VOCAB_FILE: true,
  ERR_DEVICE_UNAVAILABLE: true,
  ERR_DEVICE_FAILED: true,
  ERR_ENVIRONMENT: true,
  ERR_NATIVE_LOAD: true,
  ERR_INTERNAL: true,
};
/** They would say that something is wrong with the package and not with the arguments. */
const never: ErrorCode[] = ['ERR_INTERNAL', 'ERR_NATIVE_LOAD', 'ERR_ENVIRONMENT', 'ERR_DEVICE_FAILED'];

interface EntryPoint {
  readonly name: string;
  readonly options: (random: Random) => Options;
  readonly run: (options: never) => unknown;
  /** What any result must be, NaN and infinities apart. */
  readonly check: (result: never, options: never) => void;
}

function checkLoss(result: { loss: unknown; gradients?: Options; sampledValues?: Options }): void {
  const { loss, gradients } = result;
  expect(typeof loss === 'number' || loss instanceof Float32Array || loss instanceof Float64Array).toBe(true);
  if (!gradients) return;
  expect(ArrayBuffer.isView(gradients['inputs'])).toBe(true);
  for (const part of [gradients['weights']].flat()) {
    if (ArrayBuffer.isView(part)) continue;
    const { indices, values, denseShape, count } = part as {
      indices: Int32Array;
      values: Float32Array;
      denseShape: number[];
      count: number;
    };
    expect(indices).toHaveLength(count);
    expect(values).toHaveLength(count * (denseShape[1] as number));
    for (let i = 0; i < count; i++) expect((indices[i] as number) >= 0 && (indices[i] as number) < (denseShape[0] as number)).toBe(true);
  }
}

function checkSample({
  sampledCandidates,
  sampledExpectedCount,
}: {
  sampledCandidates: Int32Array | BigInt64Array;
  sampledExpectedCount: Float32Array;
}): void {
  expect(sampledExpectedCount).toHaveLength(sampledCandidates.length);
  for (let i = 0; i < sampledCandidates.length; i++) {
    expect((sampledCandidates[i] as number) >= 0).toBe(true);
    expect((sampledExpectedCount[i] as number) > 0).toBe(true);
  }
}

const mindsporeOf = (options: Options): [SampledSoftmaxLoss, never] => {
  const { weights, biases, labels, inputs, gradients, signal, ...own } = options;
  const rest = {
    weights,
    ...(biases === undefined ? {} : { biases }),
    labels,
    inputs,
    gradients,
    ...(signal === undefined ? {} : { signal }),
  };
  return [new SampledSoftmaxLoss(own as never), rest as never];
};
const mindsporeOptions = (random: Random): Options => {
  const { weights, biases, labels, inputs, gradients, numClasses, numTrue, reduction } = lossOptions(random, true);
  const numSampled = 1 + random.below(numClasses as number);
  return {
    weights,
    biases,
    labels,
    inputs,
    gradients,
    numClasses,
    numTrue,
    reduction,
    numSampled,
    numerics: random.pick(['stable', 'mindspore']),
    seed: random.below(5),
  };
};

function tableOptions(random: Random): Options {
  const [rows, dim, count] = [random.below(9), random.below(5), random.below(9)];
  const init = random.pick([
    'zeros',
    'uniform',
    'normal',
    'truncatedNormal',
    'glorotUniform',
    { type: 'uniform', min: -1, max: 1 },
    { type: 'normal', mean: 0, stddev: 1 },
  ]);
  const create = { rows, dim, dtype: random.pick(['float32', 'float64', 'float16', 'bfloat16']), init, seed: random.below(9) };
  return {
    create,
    indices: random.ids(count, Math.max(rows, 1)),
    values: random.values(count * dim),
    scale: random.value(),
    start: random.below(rows + 1),
    count: random.below(3),
  };
}
/** A table of gigabytes is legal where the machine has them; no need to fill it. */
function lazily(create: unknown): never {
  const { rows, dim } = (create ?? {}) as { rows?: unknown; dim?: unknown };
  const large = typeof rows === 'number' && typeof dim === 'number' && rows * dim > 1e6;
  return (large ? { ...(create as object), init: 'zeros' } : create) as never;
}
async function useTable({
  create,
  indices,
  values,
  scale,
  start,
  count,
}: Record<'create' | 'indices' | 'values' | 'scale' | 'start' | 'count', never>): Promise<unknown[]> {
  const table = await EmbeddingTable.create(lazily(create));
  try {
    const failed = (error: unknown): unknown => ({ error });
    // Each method's own failure counts, not the first alone.
    return await Promise.all([
      table.add({ indices, values }, scale).catch(failed),
      table.write(indices, values).catch(failed),
      table.read(indices).catch(failed),
      table.view(start, count).catch(failed),
    ]);
  } finally {
    table.dispose();
  }
}
function checkTable(results: unknown[]): void {
  for (const result of results) {
    if (typeof result === 'object' && result !== null && 'error' in result) checkError(result.error);
    else expect(result === undefined || ArrayBuffer.isView(result)).toBe(true);
  }
}

const sampleOnce =
  (Sampler: new (options: never) => UniformSampler) =>
  ({ trueClasses, numTrue, ...own }: Options) => {
    const sampler = new Sampler(own as never);
    const state = sampler.state();
    const first = sampler.sample({ trueClasses, numTrue } as never);
    sampler.restore(state);
    expect(sampler.sample({ trueClasses, numTrue } as never)).toEqual(first);
    return first;
  };

const samplers = [
  ['wide', uniformCandidateSampler, UniformSampler],
  ['wide', logUniformCandidateSampler, LogUniformSampler],
  ['learned', learnedUnigramCandidateSampler, LearnedUnigramSampler],
  ['fixed', fixedUnigramCandidateSampler, FixedUnigramSampler],
  ['all', allCandidateSampler, AllCandidateSampler],
] as const;

const entryPoints: EntryPoint[] = [
  ...sampledLossNames.flatMap((name) =>
    (['now', 'later'] as const).map((form) => ({
      name: `${name} ${form}`,
      options: (random: Random) => {
        const options = lossOptions(random, true);
        if (!sampledLosses[name].hitOption) delete options['removeAccidentalHits'];
        return options;
      },
      run: sampledLosses[name][form],
      check: checkLoss,
    })),
  ),
  ...[softmaxLoss, softmaxLossSync].map((run) => ({
    name: run.name,
    options: (random: Random) => lossOptions(random, false),
    run,
    check: checkLoss,
  })),
  ...(['forward', 'forwardSync'] as const).map((form) => ({
    name: `mindspore ${form}`,
    options: mindsporeOptions,
    run: (options: Options) => {
      const [object, rest] = mindsporeOf(options);
      return form === 'forward' ? object.forward(rest) : object.forwardSync(rest);
    },
    check: checkLoss,
  })),
  ...samplers.flatMap(([kind, draw, Sampler]) =>
    [draw, sampleOnce(Sampler as never)].map((run, i) => ({
      name: i ? Sampler.name : draw.name,
      options: (random: Random) => samplerOptions(random, kind),
      run: run,
      check: checkSample,
    })),
  ),
  {
    name: 'computeAccidentalHits',
    options: (random) => {
      const numTrue = 1 + random.below(3);
      return { trueClasses: random.ids(numTrue * random.below(6), 9), sampledCandidates: random.ids(random.below(9), 9), numTrue };
    },
    run: computeAccidentalHits,
    check: ({ indices, ids, weights }: Record<string, Int32Array>) => {
      expect([ids!.length, weights!.length]).toEqual([indices!.length, indices!.length]);
    },
  },
  { name: 'EmbeddingTable', options: tableOptions, run: useTable, check: checkTable },
  {
    name: 'EmbeddingTable.fromValues, fromToken',
    options: (random) => ({
      values: { data: random.values(12), shape: [4, 3] },
      options: { dtype: random.pick(['float32', 'float64', 'float16', 'bfloat16']) },
    }),
    run: ({ values, options, token }: { values: never; options: never; token?: never }) => {
      using table = EmbeddingTable.fromValuesSync(values, options);
      using again = EmbeddingTable.fromToken(token ?? table.token());
      return again.rows;
    },
    check: (rows: unknown) => expect(typeof rows).toBe('number'),
  },
  {
    name: 'info, devices, setThreads',
    options: (random) => ({ threads: 1 + random.below(4) }),
    run: ({ threads }: { threads: never }) => {
      setThreads(threads);
      return [info().cpu.threads, devices().length];
    },
    check: ([threads, count]: number[]) => expect([threads! >= 1 && threads! <= 1024, count! >= 1]).toEqual([true, true]),
  },
];

function checkError(error: unknown): void {
  if (error === 'junk') return; // the reason of a signal among the junk
  const code = (error as { code?: string } | null)?.code as ErrorCode;
  if (!(error instanceof Error) || !codes[code]) throw error;
  expect(never).not.toContain(code);
  expect(error.message.length).toBeGreaterThan(10);
  const kind =
    error instanceof TypeError
      ? 'SampledSoftmaxTypeError'
      : error instanceof RangeError
        ? 'SampledSoftmaxRangeError'
        : 'SampledSoftmaxError';
  expect(error.name).toBe(kind);
}

/** A case as JSON: what JSON does not know is told by its kind. */
function shown(options: unknown): string {
  return JSON.stringify(options, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol' || typeof value === 'function' || value === undefined) return String(value);
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    if (ArrayBuffer.isView(value))
      return `${Object.prototype.toString.call(value)} ${'length' in value ? Array.from(value as Float32Array, String).join(' ') : ''}`;
    return value;
  });
}

const runs = sized(40_000, 8000);

describe('random calls', () => {
  it.each([1, 2, 3, 4])(
    '%i of 4',
    async (part) => {
      let [accepted, refused] = [0, 0];
      for (let i = 0; i < runs / 4; i++) {
        const seed = part * 1_000_000 + i;
        const random = new Random(seed);
        const entry = random.pick(entryPoints);
        let options = entry.options(random);
        for (let wrong = random.pick([0, 0, 1, 1, 2, 4]); wrong > 0; wrong--) options = mutate(random, options);
        try {
          let result: unknown;
          try {
            result = await entry.run(options as never);
          } catch (error) {
            checkError(error);
            refused++;
            continue;
          }
          entry.check(result as never, options as never);
          accepted++;
        } catch (error) {
          throw new Error(`seed ${seed}: ${entry.name}(${shown(options)}): ${String(error)}`, { cause: error });
        }
      }
      expect(accepted + refused).toBe(runs / 4);
      // Both kinds are many, or the calls would test nothing.
      expect(accepted).toBeGreaterThan(runs / 16);
      expect(refused).toBeGreaterThan(runs / 16);
    },
    60_000,
  );
});
