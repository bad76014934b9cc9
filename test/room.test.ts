/** Small arrays of a result are views of one buffer: each has its own piece of it. */
import { describe, expect, it } from 'vitest';
import { LogUniformSampler, sampledSoftmaxLossSync, type RowGradients } from '../lib/index.ts';
import { Room } from '../lib/room.ts';

type View = Int32Array | BigInt64Array | Float32Array | Float64Array;

function expectApart(views: readonly View[]): void {
  const pieces = views.map(({ buffer, byteOffset, byteLength }) => ({ buffer, begin: byteOffset, end: byteOffset + byteLength }));
  for (const [i, a] of pieces.entries()) {
    for (const b of pieces.slice(i + 1)) expect(a.buffer !== b.buffer || a.end <= b.begin || b.end <= a.begin).toBe(true);
  }
}

describe('Room', () => {
  it('aligns what comes after an odd number of 32-bit elements', () => {
    const room = new Room('a test', Room.bytesFor(3, 4) + Room.bytesFor(2, 8) + Room.bytesFor(1, 4) + Room.bytesFor(5, 8));
    const views = [room.int32(3), room.float64(2), room.float32(1), room.bigInt64(5)];
    expect(views.map((view) => view.length)).toEqual([3, 2, 1, 5]);
    expectApart(views);
  });
  it.each([
    ['few', 10],
    ['many', 10_000],
  ])('knows when it is full: %s', (_, length) => {
    const room = new Room('a test', Room.bytesFor(length, 4));
    expect([room.has(length, 8), room.has(length, 4)]).toEqual([false, true]);
    room.float32(length);
    expect([room.has(1, 4), room.has(0, 4)]).toEqual([false, true]);
  });
  it('says for what there is no memory', () => {
    expect(() => new Room('a test', 2 ** 53)).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY', message: expect.stringContaining('a test') }),
    );
  });
});

describe('the arrays of a result', () => {
  const values = (length: number): number[] => Array.from({ length }, (_, i) => ((i * 7) % 11) / 10);
  for (const [name, type] of [
    ['float32', Float32Array],
    ['float64', Float64Array],
  ] as const) {
    it.each([
      ['a small step', 5, 3],
      ['a larger one', 1001, 2048],
    ])(`lie apart: ${name}, %s`, (_, batch, numSampled) => {
      const options = {
        weights: new type(values(20_000 * 3)),
        biases: new type(values(20_000)),
        inputs: new type(values(batch * 3)),
        labels: Int32Array.from({ length: batch }, (_, i) => i * 19),
        numClasses: 20_000,
        gradients: true,
      } as const;
      const sampler = new LogUniformSampler({ rangeMax: 20_000, numSampled, seed: 5 });
      const { gradients, sampledValues, loss } = sampledSoftmaxLossSync({ ...options, sampler });
      const { inputs } = gradients;
      const weights = gradients.weights as RowGradients;
      const biases = gradients.biases as RowGradients;
      const { sampledCandidates, trueExpectedCount, sampledExpectedCount } = sampledValues;
      const others = [inputs, weights.indices, weights.values, biases.values, sampledCandidates, trueExpectedCount, sampledExpectedCount];
      expectApart([loss, ...others]);
      expect(biases.indices).toBe(weights.indices);
      expect(Array.from(weights.indices as Int32Array)).toEqual([...options.labels, ...(sampledCandidates as Int32Array)]);
      // They may be kept for longer than the rest.
      expect(others.every((view) => view.buffer !== loss.buffer)).toBe(true);
      // With the same draw given, there is no draw among them.
      expect(sampledSoftmaxLossSync({ ...options, sampledValues }).gradients).toEqual(gradients);
    });
  }
});
