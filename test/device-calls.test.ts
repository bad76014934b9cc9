/** Calls on a device, which go on there while the next is started: their order, their number, their ends. */
import { readFile } from 'node:fs/promises';
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { EmbeddingTable, sampledSoftmaxLoss, sampledSoftmaxLossSync, softmaxLoss, softmaxLossSync, UniformSampler } from '../lib/index.ts';
import { buildFakeBackend } from './fake-backends/build.ts';
import { inProcess, inWorker, once, pause } from './processes.ts';

const { available, environment, takeLog } = buildFakeBackend();
Object.assign(process.env, environment); // the library is looked for at the first call on a device
/** kMaxStarted (native/addon/tasks.h) */
const maxStarted = 4;

/** As in fake.cc. */
const fates = ['ends', 'fails', 'is refused', 'ends at once', 'waits for abort', 'notifies before start returns'] as const;
type Fate = (typeof fates)[number];

/** Options of a call; its loss is [number, first weight]. */
const fake = (number: number, milliseconds = 0, fate: Fate = 'ends') => ({
  weights: Float32Array.of(5, 0, 0, 0, 0, 0),
  labels: Int32Array.of(0, 1),
  inputs: Float32Array.of(number, milliseconds, fates.indexOf(fate), 0),
  numClasses: 3,
  device: 'cuda' as const,
});

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('accepted'),
    (error: unknown) => error,
  );
}

/** Numbers of the calls that the log names with `event`, in its order. */
const numbersOf = (log: readonly string[], event: string): number[] =>
  log.filter((line) => line.startsWith(`${event} `)).map((line) => Number(line.split(' ')[1]));

/** The most calls that were started and not finished at the same time. */
function mostStarted(log: readonly string[]): number {
  let [now, most] = [0, 0];
  for (const line of log) {
    if (line.startsWith('start ')) most = Math.max(most, ++now);
    if (line.startsWith('finish ')) now--;
  }
  return most;
}

/** Waits until the log has all of these lines. */
async function logged(...wanted: string[]): Promise<string[]> {
  const log: string[] = [];
  while (!wanted.every((line) => log.includes(line))) {
    await pause(2);
    log.push(...takeLog());
  }
  return log;
}

describe.skipIf(!available)('calls on a device', () => {
  it('give what the device gives, in both forms and of both kinds', async () => {
    const sampled = { ...fake(8), numSampled: 2 };
    const later = await Promise.all([
      softmaxLoss(fake(7)),
      sampledSoftmaxLoss(sampled),
      sampledSoftmaxLoss({ ...sampled, device: 'cuda:1' }),
    ]);
    expect(later.map(({ loss }) => [...loss])).toEqual([
      [7, 5],
      [8, 5],
      [1008, 5],
    ]);
    takeLog();
    expect([...softmaxLossSync(fake(9, 10)).loss]).toEqual([9, 5]);
    expect([...sampledSoftmaxLossSync({ ...sampled, device: 'cuda:1' }).loss]).toEqual([1008, 5]);
    // Nobody is notified where somebody waits.
    expect(takeLog()).toEqual(['start 9', 'finish 9', 'start 8', 'finish 8']);
  });

  it('that end in the start, or are over before it returns, are settled once', async () => {
    takeLog();
    const fatesOf: Fate[] = ['ends at once', 'notifies before start returns'];
    const calls = Array.from({ length: 20 }, (_, i) => softmaxLoss(fake(i, 0, fatesOf[i % 2])));
    expect((await Promise.all(calls)).map(({ loss }) => loss[0])).toEqual(calls.map((_, i) => i));
    expect(numbersOf(takeLog(), 'finish').sort((a, b) => a - b)).toEqual(calls.map((_, i) => i).filter((i) => i % 2 === 1));
    expect(softmaxLossSync(fake(3, 0, 'ends at once')).loss[0]).toBe(3);
  });

  it('are started in their order, and as many at once as may be', async () => {
    takeLog();
    const numbers = Array.from({ length: 12 }, (_, i) => i);
    await Promise.all(numbers.map((i) => softmaxLoss(fake(i, 20 + ((i * 7) % 5) * 5))));
    const log = takeLog();
    expect(numbersOf(log, 'start')).toEqual(numbers);
    expect(mostStarted(log)).toBeLessThanOrEqual(maxStarted);
    for (const event of ['notify', 'finish']) expect(numbersOf(log, event).sort((a, b) => a - b)).toEqual(numbers);
    for (const i of numbers) expect(log.indexOf(`notify ${i}`)).toBeLessThan(log.indexOf(`finish ${i}`));
  });

  it('are settled as they end, and a long one does not hold up those after it', async () => {
    takeLog();
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    const order: number[] = [];
    const long = controllers.map(({ signal }, i) =>
      refusal(softmaxLoss({ ...fake(i, 0, 'waits for abort'), signal })).then(() => order.push(i)),
    );
    for (const i of [3, 4, 5]) expect((await softmaxLoss(fake(i))).loss[0]).toBe(i);
    for (const i of [1, 2, 0]) {
      controllers[i]!.abort();
      await long[i];
    }
    expect(order).toEqual([1, 2, 0]);
    expect(numbersOf(takeLog(), 'finish')).toEqual([3, 4, 5, 1, 2, 0]);
  });

  it('that wait for room are started when there is some', async () => {
    takeLog();
    const controller = new AbortController();
    const blocked = Array.from({ length: maxStarted }, (_, i) =>
      refusal(softmaxLoss({ ...fake(i, 0, 'waits for abort'), signal: controller.signal })),
    );
    await logged('start 3');
    const next = softmaxLoss(fake(4));
    const onCpu = softmaxLoss({ ...fake(5), device: 'cpu' }).then(() => 'cpu');
    await pause(30);
    expect(takeLog()).toEqual([]);
    softmaxLossSync(fake(6)); // does not wait for them
    expect(takeLog()).toEqual(['start 6', 'finish 6']);
    controller.abort('enough');
    expect(await Promise.all(blocked)).toEqual(['enough', 'enough', 'enough', 'enough']);
    expect([(await next).loss[0], await onCpu]).toEqual([4, 'cpu']);
  });

  it('leave the event loop, the processor and the libuv threads to others', async () => {
    const controller = new AbortController();
    const calls = Array.from({ length: 24 }, (_, i) =>
      refusal(softmaxLoss({ ...fake(i, 0, 'waits for abort'), signal: controller.signal })),
    );
    await logged('start 3');
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    const before = process.cpuUsage();
    await pause(300);
    const { user, system } = process.cpuUsage(before);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(20);
    // In microseconds; a thread that spun would take all 300 ms.
    expect(user + system).toBeLessThan(200_000);
    for (let i = 0; i < 8; i++) expect(await readFile('package.json', 'utf8')).toContain('sampled-softmax');
    controller.abort('enough');
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['enough']));
  });

  it('hold tables only while they start', async () => {
    takeLog();
    const weights = EmbeddingTable.createSync({ rows: 3, dim: 2 });
    const controller = new AbortController();
    const blocker = refusal(softmaxLoss({ ...fake(0, 0, 'waits for abort'), weights, signal: controller.signal }));
    const before = softmaxLoss({ ...fake(1, 30), weights });
    await weights.write([0], Float32Array.of(2, 2)); // in line behind both starts
    weights.addSync({ indices: [0], values: Float32Array.of(1, 1) });
    const after = softmaxLoss({ ...fake(2), weights });
    weights.dispose();
    expect([...(await after).loss]).toEqual([2, 3]);
    expect([...(await before).loss]).toEqual([1, 0]);
    controller.abort('enough');
    expect(await blocker).toBe('enough');
  });
});

describe.skipIf(!available)('calls that do not go well', () => {
  const failed = (number: number) => ({ name: 'SampledSoftmaxError', code: 'ERR_DEVICE_FAILED', message: `kernel ${number} failed` });
  const refused = (number: number) => ({ name: 'SampledSoftmaxError', code: 'ERR_OUT_OF_MEMORY', message: `no room for call ${number}` });

  it('say why, and harm no others', async () => {
    takeLog();
    const calls = [
      refusal(softmaxLoss(fake(1, 20, 'fails'))),
      softmaxLoss(fake(2, 5)),
      refusal(softmaxLoss(fake(3, 0, 'is refused'))),
      softmaxLoss(fake(4)),
    ] as const;
    const [first, second, third, fourth] = await Promise.all(calls);
    expect([first, third]).toMatchObject([failed(1), refused(3)]);
    expect([second.loss[0], fourth.loss[0]]).toEqual([2, 4]);
    expect(numbersOf(takeLog(), 'finish').sort()).toEqual([1, 2, 4]);
    expect(() => softmaxLossSync(fake(5, 1, 'fails'))).toThrow(expect.objectContaining(failed(5)));
    expect(() => softmaxLossSync(fake(6, 0, 'is refused'))).toThrow(expect.objectContaining(refused(6)));
    expect(takeLog()).toEqual(['start 5', 'finish 5', 'start 6']);
  });

  it('a signal reaches calls under way and calls in line', async () => {
    takeLog();
    const controller = new AbortController();
    const sampler = new UniformSampler({ rangeMax: 3, numSampled: 2, seed: 1 });
    const calls = Array.from({ length: 7 }, (_, i) =>
      refusal(sampledSoftmaxLoss({ ...fake(i, 0, 'waits for abort'), sampler, signal: controller.signal })),
    );
    await logged('start 3');
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    for (const error of await Promise.all(calls)) expect(error).toBe(reason);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    const log = takeLog();
    for (const event of ['abort', 'finish']) expect(numbersOf(log, event).sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

const callsOf = `
  const fake = (number, milliseconds, fate) => lib.softmaxLoss({ weights: new Float32Array(6), labels: [0, 1],
    inputs: Float32Array.of(number, milliseconds, fate, 0), numClasses: 3, device: 'cuda' });`;
const waitsForAbort = fates.indexOf('waits for abort');

describe.skipIf(!available)('threads and processes that end', () => {
  it('a worker, with calls under way and in line: those are aborted and finished, these dropped', async () => {
    takeLog();
    for (const extra of [0, 6]) {
      const own = softmaxLoss(fake(50, 40));
      const numbers = Array.from({ length: 3 }, (_, i) => i);
      const worker = inWorker(
        `${callsOf}
        for (let i = 0; i < 3 + data; i++) void fake(i, 0, ${waitsForAbort});`,
        extra,
      );
      const before = await logged('start 2');
      await worker.terminate();
      // By then, as the worker's memory is gone.
      const log = [...before, ...takeLog()];
      for (const event of ['abort', 'finish']) expect(numbersOf(log, event)).toEqual(expect.arrayContaining(numbers));
      // Room for one more there was when `own` had ended.
      expect(Math.max(...numbersOf(log, 'start').filter((i) => i !== 50))).toBeLessThanOrEqual(3);
      expect((await own).loss[0]).toBe(50);
      takeLog();
    }
    expect((await softmaxLoss(fake(60))).loss[0]).toBe(60);
    expect(takeLog()).toEqual(['start 60', 'notify 60', 'finish 60']);
  });

  it('workers that come and go in the middle of short calls', async () => {
    const body = `${callsOf}
      for (let i = 0; ; i++) {
        await Promise.all([fake(i, i % 3, 0), fake(i, 0, ${fates.indexOf('notifies before start returns')}), fake(i, 1, 0)]);
        if (i === 0) post('started');
      }`;
    for (let round = 0; round < 5; round++) {
      const workers = [inWorker(body), inWorker(body)];
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      await pause(round * 2);
      await Promise.all(workers.map((worker) => worker.terminate()));
      expect((await softmaxLoss(fake(round))).loss[0]).toBe(round);
    }
    const log = takeLog();
    expect(numbersOf(log, 'start').length).toBeGreaterThan(20);
    expect(numbersOf(log, 'finish').sort()).toEqual(numbersOf(log, 'start').sort());
  });

  it('a process, by process.exit', async () => {
    takeLog();
    const { code, output } = await inProcess(`${callsOf}
      for (let i = 0; i < 9; i++) void fake(i, 0, ${waitsForAbort});
      const { readFileSync } = await import('node:fs');
      while (!readFileSync(process.env.FAKE_LOG, 'utf8').includes('start 3')) await new Promise((resolve) => setTimeout(resolve, 2));
      process.exit(7);`);
    expect(code, output).toBe(7);
    const log = takeLog();
    expect(numbersOf(log, 'start')).toEqual([0, 1, 2, 3]);
    expect(numbersOf(log, 'finish').sort()).toEqual([0, 1, 2, 3]);
  });

  it('a process lives until its calls have ended', async () => {
    const { code, output } = await inProcess(
      `${callsOf} for (let i = 0; i < 9; i++) void fake(i, 20, 0).then(({ loss }) => post(loss[0]));`,
    );
    expect(code, output).toBe(0);
    expect(output.trim().split('\n').map(Number).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
