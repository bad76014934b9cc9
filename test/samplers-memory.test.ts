// What a draw without repeats takes beyond its results, at most and after it. In a process of its own; only Linux tells
// the high-water mark.
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inProcess } from './processes.ts';

interface Shape {
  readonly sampler: 'UniformSampler' | 'LogUniformSampler';
  readonly rangeMax: number | string; // digits: a bigint
  readonly numSampled: number;
}

const body = `
  const { readFileSync, writeFileSync } = await import('node:fs');
  const bytes = (field) => 1024 * Number(new RegExp('^' + field + ':\\\\s*(\\\\d+) kB$', 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  const draw = ({ sampler, rangeMax, numSampled }) => {
    const range = typeof rangeMax === 'string' ? BigInt(rangeMax) : rangeMax;
    const made = new lib[sampler]({ rangeMax: range, numSampled, seed: 1 });
    writeFileSync('/proc/self/clear_refs', '5');
    const before = bytes('VmRSS');
    const { sampledCandidates, sampledExpectedCount } = made.sample({ trueClasses: [] });
    const results = sampledCandidates.byteLength + sampledExpectedCount.byteLength;
    return { most: bytes('VmHWM') - before - results, after: bytes('VmRSS') - before - results };
  };
  draw({ sampler: 'UniformSampler', rangeMax: 100, numSampled: 10 }); // the code is of no draw
  post(draw(SHAPE));
`;

async function extraBytes(shape: Shape): Promise<{ most: number; after: number }> {
  const { output } = await inProcess(body.replace('SHAPE', JSON.stringify(shape)));
  return JSON.parse(output.trim().split('\n').at(-1) as string) as { most: number; after: number };
}

const mebibyte = 2 ** 20;

// Ids of 32 bits are drawn as 64 bits, in memory that the C library keeps where it is less than 32 MiB; hence no such sizes.
describe.runIf(existsSync('/proc/self/clear_refs'))('the memory of a draw', () => {
  it.each<[string, Shape]>([
    ['few of few', { sampler: 'UniformSampler', rangeMax: 1_000_000, numSampled: 8192 }],
    ['a bitmap', { sampler: 'UniformSampler', rangeMax: 200_000_000, numSampled: 4_500_000 }],
    ['slots of 4 bytes', { sampler: 'UniformSampler', rangeMax: 2 ** 31 - 1, numSampled: 4_500_000 }],
    ['slots of 8 bytes', { sampler: 'UniformSampler', rangeMax: String(2n ** 40n), numSampled: 3_000_000 }],
    ['a set that is kept', { sampler: 'LogUniformSampler', rangeMax: String(2n ** 31n), numSampled: 2_000_000 }],
  ])('is 8 bytes per class and what is kept, and goes back but for that, with %s', async (_, shape) => {
    const { most, after } = await extraBytes(shape);
    const kept = 20 * mebibyte; // 16, and what else a process takes
    expect(most).toBeLessThanOrEqual(8 * shape.numSampled + kept);
    expect(after).toBeLessThanOrEqual(kept);
  });

  it('is there beside a table that may grow into all that the machine has', async () => {
    const { output } = await inProcess(`
      const said = (rows) => { try { return lib.EmbeddingTable.createSync({ rows, dim: 1024 }); } catch (error) { return error.message; } };
      const left = Number(/has (\\d+) bytes/.exec(said(2 ** 40))[1]);
      const table = said(Math.floor(0.995 * left / 4096));
      const sampler = new lib.UniformSampler({ rangeMax: 2 ** 31 - 1, numSampled: 30_000_000, seed: 1 });
      post([typeof table, sampler.sample({ trueClasses: [] }).sampledCandidates.length]);`);
    expect(JSON.parse(output.trim().split('\n').at(-1) as string)).toEqual(['object', 30_000_000]);
  });
});
