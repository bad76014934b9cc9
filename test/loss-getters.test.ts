/** Options with getters, and arrays that call themselves something else: what was checked is what is used. */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { sampledSoftmaxLoss, sampledSoftmaxLossSync, softmaxLoss } from '../lib/index.ts';
import { tinyProblem } from './problems.ts';

const good = tinyProblem();
const values = good.sampledValues;

describe('getters', () => {
  /** The same with a getter for each property, which adds to `counts`. */
  function counted(value: unknown, path: string, counts: Record<string, number>): unknown {
    if (
      typeof value !== 'object' ||
      value === null ||
      ![Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value) as object)
    ) {
      return value;
    }
    const copy = Array.isArray(value) ? [] : {};
    for (const [key, each] of Object.entries(value)) {
      const at = `${path}.${key}`;
      const own = counted(each, at, counts);
      Object.defineProperty(copy, key, {
        enumerable: true,
        get: () => {
          counts[at] = (counts[at] ?? 0) + 1;
          return own;
        },
      });
    }
    return copy;
  }
  const rows = (count: number, width: number): object => ({ indices: new Int32Array(count), values: new Float32Array(count * width) });
  const shards = [new Float32Array(12), { data: new Float32Array(9), shape: [3, 3] }];
  const everything = {
    ...good,
    weights: shards,
    labels: { data: [0, 2], shape: [2, 1] },
    inputs: { data: good.inputs, shape: [2, 3], dtype: 'float32' },
    numTrue: 1,
    partitionStrategy: 'div',
    reduction: 'none',
    precision: 'highest',
    device: 'auto',
    numSampled: 3,
    compat: 'tensorflow',
    removeAccidentalHits: true,
    sampledValues: { ...values, sampledExpectedCount: { data: Float32Array.of(1, 1, 1), shape: [3] } },
    gradients: {
      mode: 'merged',
      upstream: { data: Float32Array.of(1, 2), shape: [2] },
      onDevice: false,
      out: { inputs: new Float32Array(6), weights: [rows(9, 3), rows(9, 3)], biases: rows(9, 1) },
    },
  };
  it('of every option are called once', async () => {
    const { sampledValues: _, ...drawn } = { ...everything, seed: [1n, 2n] };
    for (const options of [everything, drawn]) {
      const counts: Record<string, number> = {};
      sampledSoftmaxLossSync(counted(options, '', counts) as never);
      await sampledSoftmaxLoss(counted({ ...options, signal: new AbortController().signal }, '', counts) as never);
      expect(Object.entries(counts).filter(([path, n]) => n !== (path === '.signal' ? 1 : 2))).toEqual([]);
      expect(Object.keys(counts).length).toBeGreaterThan(30);
    }
  });
  it('cannot put an output over what the check has not seen', () => {
    const { weights } = good;
    let reads = 0;
    const out = {
      get inputs(): Float32Array {
        return reads++ === 0 ? new Float32Array(6) : weights.subarray(0, 6);
      },
    };
    const before = weights.slice();
    sampledSoftmaxLossSync({ ...good, gradients: { out } });
    expect(weights).toEqual(before);
  });
  it.each(['weights', 'biases', 'inputs'] as const)('that take the memory of %s away', async (name) => {
    const taking = (): never => {
      const array = good[name].slice();
      return {
        ...good,
        [name]: array,
        gradients: {
          get upstream(): number {
            structuredClone(array.buffer, { transfer: [array.buffer] });
            return 1;
          },
        },
      } as never;
    };
    const error = expect.objectContaining({
      code: 'ERR_DETACHED_BUFFER',
      message: expect.stringContaining(`${name}: `) as string,
    }) as Error;
    expect(() => sampledSoftmaxLossSync(taking())).toThrow(error);
    await expect(sampledSoftmaxLoss(taking())).rejects.toEqual(error);
    await expect(softmaxLoss({ ...(taking() as object), sampledValues: undefined } as never)).rejects.toThrow();
  });
  it('that shrink the memory of weights', () => {
    const buffer = Reflect.construct(ArrayBuffer, [84, { maxByteLength: 84 }]) as ArrayBuffer & { resize: (bytes: number) => void };
    const shape = (): number[] => {
      buffer.resize(12);
      return [2];
    };
    const upstream = Object.defineProperty({ data: Float32Array.of(1, 1), shape: [2] }, 'shape', { get: shape });
    expect(() => sampledSoftmaxLossSync({ ...good, weights: new Float32Array(buffer), gradients: { upstream } })).toThrow(
      expect.objectContaining({ code: 'ERR_RESIZABLE_BUFFER', message: 'weights: had 21 elements when it was read, and now has 3' }),
    );
  });
});

describe('arrays', () => {
  const { loss, gradients } = sampledSoftmaxLossSync({ ...good, gradients: true });
  it('whose own properties say something else are read as what they are', () => {
    for (const name of ['weights', 'biases', 'inputs'] as const) {
      const array = good[name].slice();
      for (const key of ['length', 'byteLength', 'byteOffset']) Object.defineProperty(array, key, { value: 4 });
      expect(sampledSoftmaxLossSync({ ...good, [name]: array }).loss).toEqual(loss);
    }
    const around = new Float32Array(8).fill(77);
    const inputs = around.subarray(1, 7);
    for (const key of ['length', 'byteOffset']) Object.defineProperty(inputs, key, { value: 0 });
    sampledSoftmaxLossSync({ ...good, gradients: { out: { inputs } } });
    expect(Array.from(around)).toEqual([77, ...gradients.inputs, 77]);
  });
  it('of another realm will do as outputs', () => {
    const foreign = (type: string, length: number): never => runInNewContext(`new ${type}(${length})`) as never;
    const out = {
      inputs: foreign('Float32Array', 6),
      weights: { indices: foreign('Int32Array', 5), values: foreign('Float32Array', 15) },
    };
    const result = sampledSoftmaxLossSync({ ...good, gradients: { out } });
    expect(result.gradients.inputs).toBe(out.inputs);
    expect(Array.from(result.gradients.inputs)).toEqual(Array.from(gradients.inputs));
    expect(Array.from(result.gradients.weights.values)).toEqual(Array.from(gradients.weights.values));
    expect(Array.from(out.weights.indices as Int32Array)).toEqual([0, 2, 1, 4, 6]);
  });
});

describe('the labels of a synchronous call', () => {
  const options = { ...good, labels: Int32Array.of(0, 2) };
  const expected = sampledSoftmaxLossSync({ ...options, gradients: true });
  const other = (): unknown => sampledSoftmaxLossSync({ ...options, labels: Int32Array.of(5, 6), gradients: true });
  const indices = Int32Array.of(0, 2, 1, 4, 6);

  it('are its own where a getter makes another call', () => {
    let calls = 0;
    const withGetter = {
      ...options,
      get gradients(): true {
        calls++;
        other();
        return true;
      },
    };
    const { loss, gradients } = sampledSoftmaxLossSync(withGetter);
    expect(calls).toBeGreaterThan(0);
    expect(loss).toEqual(expected.loss);
    expect(gradients.weights.indices).toEqual(indices);
    expect(gradients.weights.values).toEqual(expected.gradients.weights.values);
  });
  it('are not what a later call reads of its results', () => {
    other();
    expect(expected.gradients.weights.indices).toEqual(indices);
  });
});
