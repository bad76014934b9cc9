/** Tables in several worker threads of one process, and what V8 is told of their memory. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { EmbeddingTable } from '../lib/index.ts';
import { sized } from './device.ts';

/** Runs the body of an async function with `EmbeddingTable`, `data` and `post` in a worker; gives what it posts, one by one. */
function start(body: string, data: unknown): { worker: Worker; next: () => Promise<unknown>; ended: Promise<number> } {
  const worker = new Worker(new URL('./embedding-table-worker.mjs', import.meta.url), { workerData: { body, data } });
  const received: unknown[] = [];
  const waiting: ((value: unknown) => void)[] = [];
  worker.on('message', (value: unknown) => {
    const resolve = waiting.shift();
    if (resolve) resolve(value);
    else received.push(value);
  });
  const ended = new Promise<number>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('exit', resolve);
  });
  ended.catch(() => undefined); // told by whoever awaits `next` or `ended`
  const next = (): Promise<unknown> =>
    Promise.race([
      received.length > 0 ? Promise.resolve(received.shift()) : new Promise((resolve) => waiting.push(resolve)),
      ended.then((code) => Promise.reject(new Error(`the worker ended with ${code}`))),
    ]);
  return { worker, next, ended };
}

describe('a token', () => {
  it('gives another thread the same elements', async () => {
    const table = await EmbeddingTable.create({ rows: 100, dim: 4, dtype: 'bfloat16', init: 'normal', seed: 1 });
    const body = `
      const table = EmbeddingTable.fromToken(data);
      post([table.rows, table.dim, table.dtype, await table.read([7])]);
      await table.add({ indices: [7], values: new Float32Array(4).fill(64) });
      post(table.token());
      table.dispose();`;
    const { next, ended } = start(body, table.token());
    const before = table.readSync([7]);
    expect(await next()).toEqual([100, 4, 'bfloat16', before]);
    expect(await next()).toEqual(table.token());
    expect(await ended).toBe(0);
    expect(table.readSync([7]).every((x, i) => x === 64 + Math.round((before[i] as number) * 2) / 2)).toBe(true);
  });

  it('lives as long as any handle of any thread', async () => {
    const table = EmbeddingTable.createSync({ rows: 3, dim: 1, init: { type: 'uniform', min: 2, max: 2 } });
    const token = table.token();
    const { worker, next, ended } = start(
      `
      const table = EmbeddingTable.fromToken(data);
      post('held');
      parentPort.once('message', () => { post(table.readSync([0, 1, 2])); });`,
      token,
    );
    expect(await next()).toBe('held');
    table.dispose();
    const second = EmbeddingTable.fromToken(token);
    second.dispose();
    worker.postMessage('read');
    expect(await next()).toEqual(Float32Array.of(2, 2, 2));
    expect(await ended).toBe(0);
    expect(() => EmbeddingTable.fromToken(token)).toThrow(expect.objectContaining({ code: 'ERR_UNKNOWN_TOKEN' }));
  });

  it('lets threads add to one table at the same time', async () => {
    const table = EmbeddingTable.createSync({ rows: 64, dim: 32, dtype: 'float64' });
    const body = `
      const table = EmbeddingTable.fromToken(data);
      const indices = Int32Array.from({ length: 64 }, (_, r) => r);
      const values = new Float64Array(64 * 32).fill(1);
      for (let i = 0; i < 200; i++) i % 2 ? table.addSync({ indices, values }) : await table.add({ indices, values });
      post('done');`;
    const workers = [1, 2, 3].map(() => start(body, table.token()));
    const reads: Float64Array[] = [];
    const all = Promise.all(workers.map(({ ended }) => ended));
    let running = true;
    void all.finally(() => (running = false));
    while (running) {
      reads.push(await table.read([0, 63]));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await all).toEqual([0, 0, 0]);
    expect(new Set(table.viewSync(0, 64))).toEqual(new Set([600]));
    // A reader sees whole additions only.
    for (const read of reads) expect(new Set(read).size).toBe(1);
  });

  it('survives workers that are ended in the middle of a call', async () => {
    const table = EmbeddingTable.createSync({ rows: 1000, dim: 100 });
    for (let i = 0; i < 3; i++) {
      const body = `
        const table = EmbeddingTable.fromToken(data);
        const large = EmbeddingTable.create({ rows: ${sized(400_000, 4000)}, dim: 100, init: 'normal' });
        const reads = Array.from({ length: 20 }, () => table.read([1, 2, 3]));
        post('started');
        await Promise.all([large, ...reads]);`;
      const { worker, next } = start(body, table.token());
      await next();
      await worker.terminate();
    }
    expect(await table.read([999])).toEqual(new Float32Array(100));
  });
});

describe('memory outside the heap', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  afterAll(() => setFlagsFromString('--no-expose-gc'));

  it('is reported to V8, which collects forgotten handles before all memory is promised', async ({ skip }) => {
    if (EmbeddingTable.createSync({ rows: 0, dim: 0 }).device !== 'cpu') skip("tables of the host's memory alone are not touched");
    const rows = Math.floor(process.availableMemory() / 8 / 64);
    for (let i = 0; i < 32; i++) {
      EmbeddingTable.createSync({ rows, dim: 16 });
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it('is freed with a forgotten handle', async () => {
    const token = (() => EmbeddingTable.createSync({ rows: 1 << 20, dim: 16 }).token())();
    for (let i = 0; i < 50; i++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
      try {
        EmbeddingTable.fromToken(token).dispose();
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_UNKNOWN_TOKEN' });
        return;
      }
    }
    expect.fail('the table was not collected');
  });
});
