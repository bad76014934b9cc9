/** What the tests share: golden files as typed arrays, tolerances, sharding, random numbers that repeat. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';

export interface GoldenArray {
  dtype: 'float32' | 'float64' | 'int32' | 'int64';
  shape: number[];
  data: (number | string)[];
}

export const golden = <T>(name: string): T => JSON.parse(readFileSync(new URL(`./golden/${name}.json`, import.meta.url), 'utf8')) as T;

export const floats = ({ dtype, data }: GoldenArray): Float32Array | Float64Array =>
  dtype === 'float64' ? Float64Array.from(data, Number) : Float32Array.from(data, Number);

export const ids = ({ data }: GoldenArray): Int32Array | BigInt64Array =>
  data.every((v) => Math.abs(Number(v)) < 2 ** 31) ? Int32Array.from(data, Number) : BigInt64Array.from(data, BigInt);

/** Every element within `tolerance` of the largest one; NaN equals NaN only. */
export function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, what = ''): void {
  expect(got.length, `${what}: length`).toBe(want.length);
  let scale = 1e-30;
  for (let i = 0; i < want.length; i++) scale = Math.max(scale, Math.abs(want[i] as number) || 0);
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i] as number, want[i] as number];
    if (Object.is(a, b)) continue;
    const error = Math.abs(a - b) / scale;
    if (!(error <= tolerance)) expect.fail(`${what}[${i}]: got ${a}, expected ${b}; error ${error} of the largest element`);
  }
}

/** Splits `[rows, width]` over `shards` as the strategy wants it. */
export function split<A extends Float32Array | Float64Array>(array: A, shards: number, strategy: 'mod' | 'div', width: number): A[] {
  const rows = array.length / width;
  let next = 0;
  return Array.from({ length: shards }, (_, s) => {
    const size = Math.floor(rows / shards) + (s < rows % shards ? 1 : 0);
    const held = Array.from({ length: size }, (_, i) => (strategy === 'mod' ? s + i * shards : next++));
    const part = new (array.constructor as new (n: number) => A)(size * width);
    held.forEach((id, i) => {
      part.set(array.subarray(id * width, (id + 1) * width), i * width);
    });
    return part;
  });
}

/** A small generator of repeatable numbers in [0, 1) (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** About normally distributed values. */
export function randoms<A extends Float32Array | Float64Array = Float32Array>(
  length: number,
  seed: number,
  scale = 1,
  type: new (n: number) => A = Float32Array as unknown as new (n: number) => A,
): A {
  const next = generator(seed);
  const values = new type(length);
  for (let i = 0; i < length; i++) values[i] = scale * (next() + next() + next() + next() - 2) * 1.7;
  return values;
}

export function randomIds(length: number, limit: number, seed: number): Int32Array {
  const next = generator(seed);
  return Int32Array.from({ length }, () => Math.floor(next() * limit));
}
