/** Random arguments of the entry points, right ones and wrong ones, the same for the same seed. */
import { EmbeddingTable, LogUniformSampler, UniformSampler } from '../lib/index.ts';
import { generator } from './arrays.ts';

export type Options = Record<string, unknown>;

export class Random {
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
    const numbers = Array.from({ length }, () => this.value());
    const data = this.chance(0.3) ? Float64Array.from(numbers) : Float32Array.from(numbers);
    return this.chance(0.2) ? this.view(data) : data;
  }
  matrix(rows: number, columns: number): unknown {
    const shape = [rows, columns];
    const form = this.below(10);
    if (form === 0)
      return {
        data: Uint16Array.from({ length: rows * columns }, () => this.below(65536)),
        shape,
        dtype: this.pick(['float16', 'bfloat16']),
      };
    const data = this.values(rows * columns);
    if (form === 1)
      return EmbeddingTable.fromValuesSync({ data, shape } as never, { dtype: this.pick(['float32', 'float64', 'float16', 'bfloat16']) });
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
    structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
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
export function mutate(random: Random, options: Options): Options {
  const changed = { ...options };
  const keys = Object.keys(changed);
  const key = random.chance(0.08)
    ? random.pick(['num_sampled', 'unknown', 'constructor', '__proto__x', 'seed', 'signal', 'dtype'])
    : random.pick(keys);
  const value = changed[key];
  const plain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  if (random.chance(0.15)) Reflect.deleteProperty(changed, key);
  else if (plain && random.chance(0.7)) changed[key] = mutate(random, value as Options);
  else if (isElements(value) && random.chance(0.4)) changed[key] = distort(random, value);
  else if (typeof value === 'number' && random.chance(0.6)) changed[key] = value + random.pick([-1, 1, 2, 0.5, 100]);
  else changed[key] = random.junk();
  return changed;
}

type Elements = Float32Array | Int32Array | BigInt64Array;
const isElements = (value: unknown): value is Elements =>
  ArrayBuffer.isView(value) &&
  [Float32Array, Float64Array, Int32Array, BigInt64Array].some((type) => value instanceof type && value.length > 0);

/** A typed array with another length, or with an element that is out of any range. */
function distort(random: Random, array: Elements): unknown {
  if (random.chance(0.4)) return array.subarray(0, random.below(array.length + 1));
  const copy = array.slice();
  const at = random.below(copy.length);
  if (copy instanceof BigInt64Array) copy[at] = random.pick([-1n, 1n << 40n, 5n, -(1n << 63n)]);
  else copy[at] = random.pick([-1, 5, 1000, 2 ** 31 - 1, -(2 ** 31), NaN]);
  return copy;
}

export function lossOptions(random: Random, sampled: boolean): Options {
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
    const out = { inputs: new (random.pick([Float32Array, Float64Array]))(batch * dim) };
    options['gradients'] = { ...(sampled ? { mode } : {}), ...(random.chance(0.5) ? { out } : { upstream: random.value() }) };
  }
  if (!sampled) return options;
  const numSampled = 1 + random.below(Math.min(numClasses, 8));
  const source = random.below(4);
  if (source === 0)
    options['sampler'] = new (random.pick([UniformSampler, LogUniformSampler]))({
      rangeMax: numClasses,
      numSampled,
      seed: random.below(9),
    });
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

export function samplerOptions(random: Random, kind: string): Options {
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
