/** The Promise forms: what may happen while a call runs, in this thread. */
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  EmbeddingTable,
  nceLoss,
  sampledSoftmaxLoss,
  sampledSoftmaxLossSync,
  setThreads,
  softmaxLoss,
  softmaxLossSync,
} from '../lib/index.ts';
import { randoms } from './arrays.ts';
import { batch, dim, holdUp, large, refusal } from './async-calls.ts';
import { smallProblem, smallSampler } from './problems.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// On one thread, so that on no machine the large call is over before the tests look.
beforeAll(() => setThreads(1));

describe('while a call runs', () => {
  it('timers keep firing', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    await softmaxLoss(large);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });

  it('inputs, labels and samples may be changed: they are copied', async () => {
    const sampledValues = {
      sampledCandidates: Int32Array.of(1, 7, 9),
      trueExpectedCount: new Float32Array(32).fill(0.5),
      sampledExpectedCount: Float32Array.of(0.1, 0.2, 0.3),
    };
    const options = { ...smallProblem(), sampledValues, gradients: { upstream: new Float32Array(32).fill(2) } };
    const want = sampledSoftmaxLossSync(options);
    const letGo = holdUp();
    const pending = sampledSoftmaxLoss(options);
    options.inputs.fill(NaN);
    options.labels.fill(-1);
    options.gradients.upstream.fill(NaN);
    sampledValues.sampledCandidates.fill(1 << 30);
    sampledValues.trueExpectedCount.fill(NaN);
    sampledValues.sampledExpectedCount.fill(NaN);
    await letGo();
    const { sampledValues: _, ...got } = await pending;
    const { sampledValues: __, ...rest } = want;
    expect(got).toEqual(rest);
  });

  it('weights and biases cannot be taken away', async () => {
    const options = { ...smallProblem(), sampler: smallSampler() };
    const want = sampledSoftmaxLossSync({ ...options, sampler: smallSampler() }).loss;
    const letGo = holdUp();
    const pending = sampledSoftmaxLoss(options);
    const worker = new Worker('setTimeout(() => {}, 1)', { eval: true });
    for (const { buffer } of [options.weights, options.biases] as { buffer: ArrayBuffer }[]) {
      // Older versions of Node copy such a buffer, newer ones throw.
      for (const take of [
        () => structuredClone(buffer, { transfer: [buffer] }),
        () => worker.postMessage(buffer, [buffer]),
      ] as (() => unknown)[]) {
        try {
          take();
        } catch (error) {
          expect((error as Error).name).toBe('DataCloneError');
        }
        expect(buffer.byteLength).toBeGreaterThan(0);
      }
    }
    await letGo();
    expect((await pending).loss).toEqual(want);
    await worker.terminate();
  });

  it('a property that hides the buffer of weights does not help to take it away', async () => {
    const options = { ...smallProblem(), sampler: smallSampler() };
    const want = sampledSoftmaxLossSync({ ...options, sampler: smallSampler() }).loss;
    const { buffer } = options.weights;
    Object.defineProperty(options.weights, 'buffer', { value: new ArrayBuffer(options.weights.byteLength) });
    const letGo = holdUp();
    const pending = sampledSoftmaxLoss(options);
    await Promise.resolve()
      .then(() => structuredClone(0, { transfer: [buffer as ArrayBuffer] }))
      .catch(() => undefined); // later versions of Node refuse it, this one makes a copy
    expect(buffer.byteLength).toBeGreaterThan(0);
    await letGo();
    expect((await pending).loss).toEqual(want);
  });

  it('the inputs may be taken away', async () => {
    const options = { ...smallProblem(), sampler: smallSampler() };
    const want = sampledSoftmaxLossSync({ ...options, sampler: smallSampler() }).loss;
    const letGo = holdUp();
    const pending = sampledSoftmaxLoss(options);
    structuredClone(options.inputs, { transfer: [options.inputs.buffer as ArrayBuffer] });
    expect(options.inputs).toHaveLength(0);
    await letGo();
    expect((await pending).loss).toEqual(want);
  });

  it('a table may be disposed: that is deferred', async () => {
    const options = smallProblem();
    const weights = EmbeddingTable.fromValuesSync({ data: options.weights, shape: [500, 8] });
    const want = sampledSoftmaxLossSync({ ...options, sampler: smallSampler() });
    const letGo = holdUp();
    const pending = sampledSoftmaxLoss({ ...options, weights, sampler: smallSampler() });
    weights.dispose();
    await letGo();
    expect((await pending).loss).toEqual(want.loss);
    expect(await refusal(sampledSoftmaxLoss({ ...options, weights, sampler: smallSampler() }))).toMatchObject({ code: 'ERR_DISPOSED' });
  });

  it('a sampler may be disposed: the draw has been taken', async () => {
    const sampler = smallSampler();
    const pending = sampledSoftmaxLoss({ ...smallProblem(), sampler });
    sampler.dispose();
    expect((await pending).loss).toEqual(sampledSoftmaxLossSync({ ...smallProblem(), sampler: smallSampler() }).loss);
  });
});

it('outputs in memory of WebAssembly that has grown meanwhile are named', async () => {
  const options = smallProblem();
  // Node's types leave WebAssembly out.
  type Memory = new (size: object) => { buffer: ArrayBuffer; grow: (pages: number) => void };
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: Memory } }).WebAssembly;
  const memory = new Memory({ initial: 8 });
  const count = 600;
  const inputs = new Float32Array(memory.buffer, 0, 32 * 8);
  const weights = { indices: new Int32Array(memory.buffer, 8192, count), values: new Float32Array(memory.buffer, 16384, count * 8) };
  for (const out of [{ inputs }, { weights }]) {
    const letGo = holdUp();
    const pending = refusal(sampledSoftmaxLoss({ ...options, sampler: smallSampler(), gradients: { mode: 'merged', out } }));
    memory.grow(1);
    await letGo();
    expect(await pending).toMatchObject({
      code: 'ERR_DETACHED_BUFFER',
      message: expect.stringContaining('gradients.out.') as string,
    });
    const { buffer } = memory;
    weights.indices = new Int32Array(buffer, 8192, count);
    weights.values = new Float32Array(buffer, 16384, count * 8);
  }
});

describe('resizable buffers', () => {
  const resizable = (values: Float32Array): Float32Array => {
    const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
    const view = new Float32Array(new Resizable(values.byteLength, { maxByteLength: 2 * values.byteLength }));
    view.set(values);
    return view;
  };
  const options = smallProblem();

  it.each(['weights', 'biases'] as const)('as %s are refused in the Promise form, and read by the Sync form', async (name) => {
    const changed = { ...options, [name]: resizable(options[name]) };
    expect(await refusal(sampledSoftmaxLoss({ ...changed, sampler: smallSampler() }))).toMatchObject({
      code: 'ERR_RESIZABLE_BUFFER',
      name: 'SampledSoftmaxTypeError',
      message: expect.stringContaining(`${name}: a resizable ArrayBuffer`) as string,
    });
    expect(await refusal(softmaxLoss(changed))).toMatchObject({ code: 'ERR_RESIZABLE_BUFFER' });
    expect(sampledSoftmaxLossSync({ ...changed, sampler: smallSampler() }).loss).toEqual(
      sampledSoftmaxLossSync({ ...options, sampler: smallSampler() }).loss,
    );
  });
  it('as outputs are refused in the Promise form', async () => {
    const out = { inputs: resizable(new Float32Array(32 * 8)) };
    expect(await refusal(softmaxLoss({ ...options, gradients: { out } }))).toMatchObject({ code: 'ERR_RESIZABLE_BUFFER' });
    expect(softmaxLossSync({ ...options, gradients: { out } }).gradients.inputs.buffer).toBe(out.inputs.buffer);
  });
  it('as inputs are copied, and may shrink', async () => {
    const inputs = resizable(options.inputs);
    const letGo = holdUp();
    const pending = softmaxLoss({ ...options, inputs });
    (inputs.buffer as ArrayBuffer & { resize: (length: number) => void }).resize(0);
    await letGo();
    expect((await pending).loss).toEqual(softmaxLossSync(options).loss);
  });
});

describe('outputs that overlap', () => {
  it("another call's are refused while it runs, in both forms", async () => {
    const end = batch * dim;
    const memory = new Float32Array(end + 100);
    const options = { ...smallProblem(), labels: [0, 1, 2, 3], inputs: randoms(32, 8) };
    const call = (from: number) => ({ ...options, gradients: { out: { inputs: memory.subarray(from, from + 32) } } });
    const first = softmaxLoss({ ...large, gradients: { out: { inputs: memory.subarray(0, end) } } });
    for (const from of [0, 100, end - 1]) {
      const message = expect.stringContaining("gradients.out.inputs: overlaps an unfinished call's gradients.out.inputs") as string;
      const error = { code: 'ERR_OVERLAP', name: 'SampledSoftmaxRangeError', message };
      expect(await refusal(softmaxLoss(call(from)))).toMatchObject(error);
      expect(() => softmaxLossSync(call(from))).toThrow(expect.objectContaining({ code: 'ERR_OVERLAP' }));
    }
    const beside = softmaxLoss(call(end));
    const [{ gradients }, { gradients: others }] = await Promise.all([first, beside]);
    expect(gradients.inputs).toEqual(softmaxLossSync(large).gradients.inputs);
    expect(others.inputs).toEqual(softmaxLossSync(call(end)).gradients.inputs);
    expect((await softmaxLoss(call(100))).gradients.inputs).toEqual(others.inputs);
  });
  it('weights that an unfinished call reads, and weights over an unfinished output, are refused', async () => {
    const options = smallProblem();
    const blocker = softmaxLoss(large);
    const reader = softmaxLoss(options);
    const over = { ...options, weights: options.weights.slice(), gradients: { out: { inputs: options.weights.subarray(0, 32 * 8) } } };
    const message = "gradients.out.inputs: overlaps an unfinished call's weights";
    expect(() => softmaxLossSync(over)).toThrow(message);
    const memory = new Float32Array(500 * 8);
    const writer = softmaxLoss({ ...options, gradients: { out: { weights: memory } } });
    expect(await refusal(softmaxLoss({ ...options, weights: memory }))).toMatchObject({
      message: "weights: overlaps an unfinished call's gradients.out.weights",
    });
    await Promise.all([blocker, reader, writer]);
    softmaxLossSync(over);
  });
  it('inputs, weights or each other are refused', async () => {
    const options = smallProblem();
    const memory = new Float32Array(500 * 8 + 32 * 8);
    memory.set(options.weights);
    const weights = memory.subarray(0, 500 * 8);
    const cases = [
      [{ ...options, gradients: { out: { inputs: options.inputs } } }, 'overlaps inputs'],
      [{ ...options, weights, gradients: { out: { inputs: memory.subarray(500 * 8 - 1, 500 * 8 - 1 + 256) } } }, 'overlaps weights'],
      [
        { ...options, gradients: { out: { inputs: memory.subarray(0, 256), weights: memory.subarray(255, 4255) } } },
        'overlaps gradients.out',
      ],
    ] as const;
    for (const [wrong, message] of cases) {
      expect(await refusal(softmaxLoss(wrong))).toMatchObject({ code: 'ERR_OVERLAP', message: expect.stringContaining(message) as string });
      expect(() => softmaxLossSync(wrong)).toThrow(message);
    }
    const apart = { ...options, weights, gradients: { out: { inputs: memory.subarray(500 * 8) } } };
    expect((await softmaxLoss(apart)).gradients.inputs).toEqual(softmaxLossSync({ ...options, gradients: true }).gradients.inputs);
  });
});

describe('calls that overlap', () => {
  it('take their draws in the order of the calls', async () => {
    const [sampler, same] = [smallSampler(), smallSampler()];
    const calls = Array.from({ length: 12 }, (_, i) => (i % 3 === 1 ? nceLoss : sampledSoftmaxLoss)({ ...smallProblem(), sampler }));
    const refused = refusal(sampledSoftmaxLoss({ ...smallProblem(), sampler, labels: [1, 2] }));
    calls.push(sampledSoftmaxLoss({ ...smallProblem(), sampler }));
    await refused;
    for (const { sampledValues } of await Promise.all(calls)) {
      expect(sampledValues.sampledCandidates).toEqual(same.sample({ trueClasses: smallProblem().labels }).sampledCandidates);
    }
  });
  it('each give what they give alone', async () => {
    const seeds = Array.from({ length: 30 }, (_, i) => i + 1);
    const results = await Promise.all(
      seeds.map((seed) => sampledSoftmaxLoss({ ...smallProblem(), sampler: smallSampler(seed), gradients: { mode: 'merged' } })),
    );
    results.forEach((result, i) => {
      expect(result).toEqual(sampledSoftmaxLossSync({ ...smallProblem(), sampler: smallSampler(seeds[i]), gradients: { mode: 'merged' } }));
    });
  });
  it('may be interrupted by Sync calls, which do not wait for those in line', async () => {
    const order: string[] = [];
    const calls = [softmaxLoss(large), softmaxLoss(large)].map((call, i) => call.then(() => order.push(`call ${i}`)));
    await pause(5);
    softmaxLossSync(smallProblem());
    order.push('sync');
    await Promise.all(calls);
    expect(order[0]).toBe('sync');
  });
});
