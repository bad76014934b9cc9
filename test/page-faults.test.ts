/** Results come from memory that earlier ones have left: pages that are new in every step take as long as a small step. */
import { describe, expect, it } from 'vitest';
import { inProcess } from './processes.ts';

const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };

/** Page faults of a step whose results have about forty pages, once V8 has collected those of many. */
const body = `
  lib.setThreads(2);
  const options = {
    weights: new Float32Array(1000 * 128).fill(0.01), labels: new Int32Array(128), inputs: new Float32Array(128 * 128).fill(0.5),
    numClasses: 1000, sampler: new lib.LogUniformSampler({ rangeMax: 1000, numSampled: 64, seed: 1 }), gradients: true, reduction: 'mean',
  };
  const faultsOf = (steps) => {
    const before = process.resourceUsage().minorPageFault;
    for (let i = 0; i < steps; i++) lib.sampledSoftmaxLossSync(options);
    return (process.resourceUsage().minorPageFault - before) / steps;
  };
  faultsOf(2000);
  post(faultsOf(3000));
`;

describe.runIf(header.glibcVersionRuntime)('a training loop', () => {
  it('touches no new pages in its steps', async () => {
    const { code, output } = await inProcess(body);
    expect(code).toBe(0);
    expect(Number(output)).toBeLessThan(4);
  });
});
