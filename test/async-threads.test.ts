/** The Promise forms among threads: workers that come and go, and what happens as a process ends. */
import { describe, expect, it } from 'vitest';
import { sampledSoftmaxLoss, sampledSoftmaxLossSync } from '../lib/index.ts';
import { randomIds } from './arrays.ts';
import { sized } from './device.ts';
import { smallProblem, smallSampler } from './problems.ts';
import { inProcess, inWorker, once, pause } from './processes.ts';

const { rows, dim, manyCalls, rounds } = sized(
  { rows: 20_000, dim: 32, manyCalls: 200, rounds: 12 },
  { rows: 150, dim: 8, manyCalls: 40, rounds: 3 },
);
const makeCalls = `
  const weights = lib.EmbeddingTable.createSync({ rows: ${rows}, dim: ${dim}, init: 'uniform', seed: 1 });
  const options = { weights, labels: Int32Array.from({ length: 128 }, (_, i) => i), inputs: new Float32Array(128 * ${dim}).fill(0.1) };
  const call = () => lib.softmaxLoss({ ...options, gradients: true });`;

describe('in a process of its own', () => {
  it(`${manyCalls} calls that wait leave the libuv threads to others`, async () => {
    // One libuv thread: whatever a call held of it would hold up the file.
    const { output, code } = await inProcess(
      `const { readFile } = await import('node:fs/promises');
      ${makeCalls}
      await call();
      let ended = 0;
      const calls = Array.from({ length: ${manyCalls} }, () => call().then(() => ended++));
      const marks = [];
      for (let i = 0; i < 5; i++) {
        await readFile('package.json', 'utf8');
        marks.push(ended);
      }
      await Promise.all(calls);
      post({ marks, ended });`,
      { UV_THREADPOOL_SIZE: '1' },
    );
    expect(code, output).toBe(0);
    const { marks, ended } = JSON.parse(output) as { marks: number[]; ended: number };
    expect(ended).toBe(manyCalls);
    expect(marks.at(-1)).toBeLessThan(manyCalls / 2);
  });

  it('pending calls keep it alive, and nothing does after them', async () => {
    const { output, code } = await inProcess(`${makeCalls}
      for (let i = 0; i < 5; i++) void call().then(({ loss }) => post(loss.length));`);
    expect(code, output).toBe(0);
    expect(output.trim().split('\n')).toEqual(['128', '128', '128', '128', '128']);
  });

  it.each([
    ['process.exit(7)', 7],
    ['setTimeout(() => process.exit(7), 15)', 7],
    ['setTimeout(() => { throw new Error("enough"); }, 5)', 1],
  ])('%s ends it with calls pending', async (exit, want) => {
    const { output, code, signal } = await inProcess(`${makeCalls}
      const calls = Array.from({ length: 50 }, call);
      ${exit};
      await Promise.all(calls);`);
    expect({ code, signal }, output).toEqual({ code: want, signal: null });
  });
});

describe('worker threads', () => {
  it('come and go while calls run, and may be ended in the middle of one', async () => {
    const options = { ...smallProblem(), sampler: smallSampler() };
    const want = sampledSoftmaxLossSync({ ...smallProblem(), sampler: smallSampler() }).loss;
    let running = true;
    const own = (async () => {
      let calls = 0;
      for (; running; calls++) await sampledSoftmaxLoss(options);
      return calls;
    })();
    for (const wait of [0, 3, 10, 30]) {
      const body = `${makeCalls}
        const calls = Array.from({ length: 20 }, call);
        post('started');
        await Promise.all(calls);`;
      const workers = [inWorker(body), inWorker(body)];
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      await pause(wait);
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    running = false;
    expect(await own).toBeGreaterThan(0);
    expect((await sampledSoftmaxLoss({ ...smallProblem(), sampler: smallSampler() })).loss).toEqual(want);
  });

  it.each([
    ['Sync calls', 'for (;;) lib.sampledSoftmaxLossSync({ ...data, numSampled: 20 });'],
    ['Promise calls', 'for (;;) await lib.sampledSoftmaxLoss({ ...data, numSampled: 20 });'],
    [
      'draws',
      'const sampler = new lib.LogUniformSampler({ rangeMax: 50, numSampled: 20 }); for (;;) sampler.sample({ trueClasses: [1] });',
    ],
    ['tables', 'for (;;) (await lib.EmbeddingTable.create({ rows: 10, dim: 4 })).dispose();'],
  ])('may be ended in the middle of endless %s, which can no longer throw then', async (_, loop) => {
    for (let round = 0; round < rounds; round++) {
      const workers = [1, 2].map(() => inWorker(`post('started'); ${loop}`, smallProblem()));
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      await pause(round * 2);
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
  });

  it('each get their own results', async () => {
    const body = `
      const { loss } = await lib.sampledSoftmaxLoss({ ...data, numSampled: 50, seed: 3 });
      post(loss);`;
    const workers = [1, 2, 3].map(() => inWorker(body, smallProblem()));
    const losses = await Promise.all(workers.map((worker) => once(worker, 'message')));
    const want = (await sampledSoftmaxLoss({ ...smallProblem(), numSampled: 50, seed: 3 })).loss;
    expect(losses).toEqual([want, want, want]);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  it('may write to shared memory that a call reads: any numbers come out, and no crash', async () => {
    const shared = <A extends Float32Array | Int32Array>(type: new (buffer: SharedArrayBuffer) => A, from: A): A => {
      const view = new type(new SharedArrayBuffer(from.byteLength));
      view.set(from);
      return view;
    };
    const { weights, biases, labels, inputs, numClasses } = smallProblem();
    const options = {
      weights: shared(Float32Array, weights),
      biases: shared(Float32Array, biases),
      labels: shared(Int32Array, labels),
      inputs: shared(Float32Array, inputs),
      numClasses,
    };
    const sampledCandidates = shared(Int32Array, randomIds(60, 500, 9));
    const writer = inWorker(
      `const words = data.map((view) => new Int32Array(view.buffer));
      post('started');
      for (let i = 1; ; i = Math.imul(i, 0x9e3779b1) + 12345) for (const view of words) view[(i >>> 1) % view.length] = i % 3 ? i : i & 255;`,
      [options.weights, options.biases, options.labels, options.inputs, sampledCandidates],
    );
    await once(writer, 'message');
    let [done, refused] = [0, 0];
    for (let i = 0; i < 150; i++) {
      const values = {
        sampledCandidates,
        trueExpectedCount: new Float32Array(32).fill(1),
        sampledExpectedCount: new Float32Array(60).fill(1),
      };
      const source = i % 2 ? { sampledValues: values, labels } : { numSampled: 40 };
      try {
        const call = { ...options, ...source, gradients: { mode: 'merged' } } as const;
        const { loss, gradients, sampledValues } = i % 3 ? await sampledSoftmaxLoss(call) : sampledSoftmaxLossSync(call);
        expect(loss).toHaveLength(32);
        expect((gradients.weights.indices as Int32Array).every((id) => id >= 0 && id < 500)).toBe(true);
        expect((sampledValues.sampledCandidates as Int32Array).every((id) => id >= 0 && id < 500)).toBe(true);
        done++;
      } catch (error) {
        // Ids are copied first and then checked: what is out of range is refused, whatever is written meanwhile.
        expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
        refused++;
        labels.forEach((id, k) => {
          options.labels[k] = id;
        });
        sampledCandidates.fill(3);
      }
    }
    await writer.terminate();
    expect(done + refused).toBe(150);
  });
});
