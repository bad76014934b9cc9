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
import { generator } from './arrays.ts';
import { sampledLosses, sampledLossNames } from './problems.ts';

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
  ERR_IN_USE: true,
  ERR_UNKNOWN_TOKEN: true,
  ERR_VOCAB_FILE: true,
  ERR_DEVICE_UNAVAILABLE: true,
  ERR_UNSUPPORTED: true,
  ERR_ENVIRONMENT: true,
  ERR_NATIVE_LOAD: true,
  ERR_INTERNAL: true,
};
/** They would say that something is wrong with the package and not with the arguments. */
const never: ErrorCode[] = ['ERR_INTERNAL', 'ERR_NATIVE_LOAD', 'ERR_ENVIRONMENT'];

type Options = Record<string, unknown>;

class Random {
  readonly #next: () => number;
  constructor(seed: number) {
    this.#next = generator(seed);
  }
  below(n: number): number {
    return Math.floor(this.#next() * n);
  }
  chance(p: number): boolean {
    return this.#next() < p;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
  /** Mostly ordinary, now and then a number that hurts. */
  value(): number {
    return this.chance(0.02) ? this.pick([NaN, Infinity, -Infinity, 1e30, -1e30, 1e-40, -0]) : (this.#next() - 0.5) * 4;
  }
  values(length: number): unknown {
    const data = this.pick([Float32Array, Float32Array, Float64Array]).from({ length }, () => this.value());
    return this.chance(0.2) ? this.view(data) : data;
  }
  matrix(rows: number, columns: number): unknown {
    const shape = [rows, columns];
    const form = this.below(10);
    if (form === 0) return { data: Uint16Array.from({ length: rows * columns }, () => this.below(65536)), shape, dtype: this.pick(['float16', 'bfloat16']) };
    const data = this.values(rows * columns);
    if (form === 1) return EmbeddingTable.fromValuesSync({ data, shape } as never, { dtype: this.pick(['float32', 'float64', 'float16', 'bfloat16']) });
    return form < 5 ? { data, shape } : data;
  }
  ids(length: number, limit: number): unknown {
    const numbers = Array.from({ length }, () => this.below(limit));
    const form = this.below(4);
    const data = form === 0 ? numbers : form === 1 ? BigInt64Array.from(numbers, BigInt) : Int32Array.from(numbers);
    return this.chance(0.2) && ArrayBuffer.isView(data) ? this.view(data) : data;
  }
  /** The same elements in shared memory, or in the middle of a larger buffer. */
  view<A extends Float32Array | Float64Array | Int32Array | BigInt64Array>(array: A): A {
    const type = array.constructor as unknown as new (buffer: ArrayBufferLike, from: number, length: number) => A;
    const buffer = this.chance(0.5) ? new SharedArrayBuffer(array.byteLength + 32) : new ArrayBuffer(array.byteLength + 32);
    const view = new type(buffer, 16, array.length);
    view.set(array as never);
    return view;
  }
  /** Something that does not belong. */
  junk(): unknown {
    return this.pick<() => unknown>([
      () => undefined,
      () => null,
      () => NaN,
      () => Infinity,
      () => this.pick([-1, 0, 1, 0.5, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e300, -0]),
      () => this.pick([0n, -1n, 5n, 2n ** 63n, 2n ** 64n]),
      () => this.pick(['', 'x', 'mod', '__proto__', 'none', '5']),
      () => this.chance(0.5),
      () => Symbol('junk'),
      () => () => 1,
      () => ({}),
      () => Object.create(null) as object,
      () => [],
      () => [this.junk(), this.junk()],
      () => ({ data: this.junk(), shape: this.junk() }),
      () => ({ data: new Float32Array(this.below(30)), shape: [this.junk(), this.below(6)] }),
      () => ({ data: new Uint16Array(6), shape: [2, 3], dtype: this.pick(['float16', 'bfloat16', 'float32', 'int8']) }),
      () => this.values(this.below(40)),
      () => this.ids(this.below(12), this.pick([1, 5, 1000])),
      () => new Uint8Array(this.below(20)),
      () => new BigUint64Array(3),
      () => new DataView(new ArrayBuffer(16)),
      () => new ArrayBuffer(16),
      () => this.detached(new Float32Array(12)),
      () => this.detached(new Int32Array(4)),
      () => this.resizable(),
      () => new Date(0),
      () => new Map(),
      () => new Proxy(new Float32Array(6), {}),
      () => Object.create(Float32Array.prototype) as object,
      () => Object.create(EmbeddingTable.prototype) as object,
      () => new UniformSampler({ rangeMax: 5, numSampled: 2 }),
      () => EmbeddingTable.createSync({ rows: this.below(6), dim: this.below(4) }),
      () => this.disposed(),
      () => AbortSignal.abort('junk'),
    ])();
  }
  detached<A extends Float32Array | Int32Array>(array: A): A {
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  }
  resizable(): Float32Array {
    const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
    return new Float32Array(new Resizable(4 * this.below(30), { maxByteLength: 120 }));
  }
  disposed(): EmbeddingTable {
    const table = EmbeddingTable.createSync({ rows: 5, dim: 3 });
    table.dispose();
    return table;
  }
}

/** Puts something wrong somewhere: a value replaced, left out, or added, at any depth. */
function mutate(random: Random, options: Options): Options {
  const changed = { ...options };
  const keys = Object.keys(changed);
  const key = random.chance(0.08) ? random.pick(['num_sampled', 'unknown', 'constructor', '__proto__x', 'seed', 'signal', 'dtype']) : random.pick(keys);
  const value = changed[key];
  const plain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  if (random.chance(0.15)) delete changed[key];
  else if (plain && random.chance(0.7)) changed[key] = mutate(random, value as Options);
  else if (isElements(value) && random.chance(0.4)) changed[key] = distort(random, value);
  else if (typeof value === 'number' && random.chance(0.6)) changed[key] = value + random.pick([-1, 1, 2, 0.5, 100]);
  else changed[key] = random.junk();
  return changed;
}

type Elements = Float32Array | Int32Array | BigInt64Array;
const isElements = (value: unknown): value is Elements =>
  ArrayBuffer.isView(value) && [Float32Array, Float64Array, Int32Array, BigInt64Array].some((type) => value instanceof type && value.length > 0);

/** A typed array with another length, or with an element that is out of any range. */
function distort(random: Random, array: Elements): unknown {
  if (random.chance(0.4)) return array.subarray(0, random.below(array.length + 1));
  const copy = array.slice();
  const at = random.below(copy.length);
  if (copy instanceof BigInt64Array) copy[at] = random.pick([-1n, 1n << 40n, 5n, -(1n << 63n)]);
  else copy[at] = random.pick([-1, 5, 1000, 2 ** 31 - 1, -(2 ** 31), NaN]);
  return copy;
}

function lossOptions(random: Random, sampled: boolean): Options {
  const [batch, dim, numClasses, numTrue] = [random.below(6), random.below(7), 1 + random.below(12), 1 + random.below(3)];
  const shards = random.chance(0.2) ? 1 + random.below(3) : 0;
  const size = (s: number): number => Math.floor(numClasses / shards) + (s < numClasses % shards ? 1 : 0);
  const mode = random.pick(['sparse', 'merged', 'dense'] as const);
  const options: Options = {
    weights: shards ? Array.from({ length: shards }, (_, s) => random.matrix(size(s), dim)) : random.matrix(numClasses, dim),
    labels: random.ids(batch * numTrue, numClasses),
    inputs: random.matrix(batch, dim),
    numClasses,
    numTrue,
    partitionStrategy: random.pick(['mod', 'div']),
    reduction: random.pick(['none', 'none', 'mean', 'sum']),
    precision: random.pick(['highest', 'high']),
    device: random.pick(['auto', 'cpu']),
    gradients: sampled && random.chance(0.7) ? { mode } : random.chance(0.5),
  };
  if (random.chance(0.6)) options['biases'] = random.chance(0.2) ? random.matrix(numClasses, 1) : random.values(numClasses);
  if (options['gradients'] !== false && random.chance(0.3)) {
    const out = { inputs: random.pick([Float32Array, Float64Array]).from({ length: batch * dim }, () => 0) };
    options['gradients'] = { ...(sampled ? { mode } : {}), ...(random.chance(0.5) ? { out } : { upstream: random.value() }) };
  }
  if (!sampled) return options;
  const numSampled = 1 + random.below(Math.min(numClasses, 8));
  const source = random.below(4);
  if (source === 0) options['sampler'] = new (random.pick([UniformSampler, LogUniformSampler]))({ rangeMax: numClasses, numSampled, seed: random.below(9) });
  else if (source === 1) Object.assign(options, { numSampled, seed: random.below(5) });
  else {
    const drawn = random.below(9);
    options['sampledValues'] = {
      sampledCandidates: random.ids(drawn, numClasses),
      trueExpectedCount: random.values(batch * numTrue),
      sampledExpectedCount: random.values(drawn),
    };
  }
  if (random.chance(0.2)) options['removeAccidentalHits'] = random.chance(0.5);
  if (random.chance(0.2)) options['compat'] = 'tensorflow';
  return options;
}

function samplerOptions(random: Random, kind: string): Options {
  const rangeMax = 1 + random.below(40);
  const unique = random.chance(0.7);
  const numSampled = 1 + random.below(unique ? rangeMax : 40);
  const numTrue = 1 + random.below(3);
  const own: Options = { trueClasses: random.ids(numTrue * random.below(5), rangeMax), numTrue };
  if (kind === 'all') return { ...own, numSampled: rangeMax };
  Object.assign(own, { rangeMax, numSampled, unique, seed: random.chance(0.5) ? random.below(100) : [BigInt(random.below(9)), 3n] });
  if (kind === 'fixed') own['unigrams'] = Float32Array.from({ length: rangeMax }, () => random.below(5));
  if (kind === 'fixed' && random.chance(0.3)) own['distortion'] = random.value();
  if (kind === 'wide' && random.chance(0.3)) own['rangeMax'] = BigInt(rangeMax) + random.pick([0n, 1n << 40n, (1n << 63n) - 100n]);
  return own;
}

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
    const { indices, values, denseShape, count } = part as { indices: Int32Array; values: Float32Array; denseShape: number[]; count: number };
    expect(indices).toHaveLength(count);
    expect(values).toHaveLength(count * (denseShape[1] as number));
    for (let i = 0; i < count; i++) expect((indices[i] as number) >= 0 && (indices[i] as number) < (denseShape[0] as number)).toBe(true);
  }
}

function checkSample({ sampledCandidates, sampledExpectedCount }: { sampledCandidates: Int32Array | BigInt64Array; sampledExpectedCount: Float32Array }): void {
  expect(sampledExpectedCount).toHaveLength(sampledCandidates.length);
  for (let i = 0; i < sampledCandidates.length; i++) {
    expect((sampledCandidates[i] as number) >= 0).toBe(true);
    expect((sampledExpectedCount[i] as number) > 0).toBe(true);
  }
}

const mindsporeOf = (options: Options): [SampledSoftmaxLoss, never] => {
  const { weights, biases, labels, inputs, gradients, signal, ...own } = options;
  const rest = { weights, ...(biases === undefined ? {} : { biases }), labels, inputs, gradients, ...(signal === undefined ? {} : { signal }) };
  return [new SampledSoftmaxLoss(own as never), rest as never];
};
const mindsporeOptions = (random: Random): Options => {
  const { weights, biases, labels, inputs, gradients, numClasses, numTrue, reduction } = lossOptions(random, true);
  const numSampled = 1 + random.below(numClasses as number);
  return { weights, biases, labels, inputs, gradients, numClasses, numTrue, reduction, numSampled, numerics: random.pick(['stable', 'mindspore']), seed: random.below(5) };
};

function tableOptions(random: Random): Options {
  const [rows, dim, count] = [random.below(9), random.below(5), random.below(9)];
  const init = random.pick(['zeros', 'uniform', 'normal', 'truncatedNormal', 'glorotUniform', { type: 'uniform', min: -1, max: 1 }, { type: 'normal', mean: 0, stddev: 1 }]);
  const create = { rows, dim, dtype: random.pick(['float32', 'float64', 'float16', 'bfloat16']), init, seed: random.below(9) };
  return { create, indices: random.ids(count, Math.max(rows, 1)), values: random.values(count * dim), scale: random.value(), start: random.below(rows + 1), count: random.below(3) };
}
/** A table of gigabytes is legal where the machine has them; no need to fill it. */
function lazily(create: unknown): never {
  const { rows, dim } = (create ?? {}) as { rows?: unknown; dim?: unknown };
  const large = typeof rows === 'number' && typeof dim === 'number' && rows * dim > 1e6;
  return (large ? { ...(create as object), init: 'zeros' } : create) as never;
}
async function useTable({ create, indices, values, scale, start, count }: Record<string, never>): Promise<unknown[]> {
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

const sampleOnce = (Sampler: new (options: never) => UniformSampler) => ({ trueClasses, numTrue, ...own }: Options) => {
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
  ...[softmaxLoss, softmaxLossSync].map((run) => ({ name: run.name, options: (random: Random) => lossOptions(random, false), run, check: checkLoss })),
  ...(['forward', 'forwardSync'] as const).map((form) => ({
    name: `mindspore ${form}`,
    options: mindsporeOptions,
    run: (options: Options) => {
      const [object, rest] = mindsporeOf(options);
      return object[form](rest);
    },
    check: checkLoss,
  })),
  ...samplers.flatMap(([kind, draw, Sampler]) =>
    [draw, sampleOnce(Sampler as never)].map((run, i) => ({
      name: i ? Sampler.name : draw.name,
      options: (random: Random) => samplerOptions(random, kind),
      run: run as EntryPoint['run'],
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
    options: (random) => ({ values: { data: random.values(12), shape: [4, 3] }, options: { dtype: random.pick(['float32', 'float64', 'float16', 'bfloat16']) } }),
    run: ({ values, options, token }: Record<string, never>) => {
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
    check: ([threads, count]: number[]) => expect([threads! >= 1 && threads! <= 1024, count]).toEqual([true, 1]),
  },
];

function checkError(error: unknown): void {
  if (error === 'junk') return; // the reason of a signal among the junk
  const code = (error as { code?: string } | null)?.code as ErrorCode;
  if (!(error instanceof Error) || !codes[code]) throw error;
  expect(never).not.toContain(code);
  expect(error.message.length).toBeGreaterThan(10);
  const kind = error instanceof TypeError ? 'SampledSoftmaxTypeError' : error instanceof RangeError ? 'SampledSoftmaxRangeError' : 'SampledSoftmaxError';
  expect(error.name).toBe(kind);
}

/** A case as JSON: what JSON does not know is told by its kind. */
function shown(options: unknown): string {
  return JSON.stringify(options, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol' || typeof value === 'function' || value === undefined) return String(value);
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    if (ArrayBuffer.isView(value)) return `${Object.prototype.toString.call(value)} ${'length' in value ? Array.from(value as Float32Array, String).join(' ') : ''}`;
    return value;
  });
}

const runs = 40_000;

describe('random calls', () => {
  it.each([1, 2, 3, 4])('%i of 4', async (part) => {
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
  }, 60_000);
});
