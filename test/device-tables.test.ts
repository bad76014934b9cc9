/** Tables in the memory of a device: the same content as in the host's, to the bit, in whatever order calls are made. */
import { describe, expect, it } from 'vitest';
import { EmbeddingTable, sampledSoftmaxLoss, sampledSoftmaxLossSync, type Initializer } from '../lib/index.ts';
import { generator, randoms } from './arrays.ts';
import { both, bytesOf, dtypes, hasDevice, isEmulated, posted, whole, withFindings } from './device-tables.ts';
import { inWorker } from './processes.ts';

/** The least problem for a loss over a table of 3 classes. */
const small = { labels: [0, 1], inputs: Float32Array.of(1, 2, 3, 4), numSampled: 2, seed: [1n, 2n] } as const;

describe.skipIf(!hasDevice)('a table on a device', () => {
  it.each(dtypes)('%s: holds what the same seed puts in one of the host', async (dtype) => {
    const inits: Initializer[] = ['zeros', 'uniform', 'normal', { type: 'truncatedNormal', mean: 1, stddev: 3 }, 'glorotUniform'];
    for (const init of inits) {
      for (const [rows, dim] of [
        [0, 3],
        [3, 0],
        [301, 1],
        [77, 17],
        [5, 1030],
      ] as const) {
        const options = { rows, dim, dtype, init, seed: -7 };
        using host = EmbeddingTable.createSync({ ...options, device: 'cpu' });
        using now = EmbeddingTable.createSync({ ...options, device: 'cuda' });
        using later = await EmbeddingTable.create({ ...options, device: 'cuda:0' });
        expect([host.device, now.device, later.device]).toEqual(['cpu', 'cuda:0', 'cuda:0']);
        expect(bytesOf(whole(now), dtype).equals(bytesOf(whole(host), dtype))).toBe(true);
        expect(bytesOf(await later.view(0, rows), dtype).equals(bytesOf(whole(host), dtype))).toBe(true);
      }
    }
  });

  it('takes, gives and adds rows of every dtype as the host does', async () => {
    const next = generator(11);
    for (const dtype of dtypes) {
      for (const dim of [1, 2, 3, 7, 8, 33, 260]) {
        const rows = 40;
        const special = randoms(rows * dim, dim, 3, Float64Array);
        [NaN, -0, Infinity, -Infinity, 1e-310, 65520, 1e39, 2 ** -25].forEach((x, i) => i < special.length && (special[i] = x));
        const tables = both(special, [rows, dim], dtype);
        const same = (): void =>
          expect(bytesOf(whole(tables[1]), dtype).equals(bytesOf(whole(tables[0]), dtype)), `${dtype} ${dim}`).toBe(true);
        same();
        for (const Type of [Float32Array, Float64Array]) {
          const indices = Int32Array.from({ length: 90 }, () => Math.floor(next() * rows));
          const values = randoms<Float32Array | Float64Array>(90 * dim, 5, 1, Type);
          for (const scale of [-0.3, 0, NaN]) {
            for (const table of tables) table.addSync({ indices, values }, scale);
            same();
          }
          const distinct = [39, 0, 20];
          for (const table of tables) await table.write(distinct, values.subarray(0, 3 * dim));
          same();
          const reads = await Promise.all(tables.map((table) => table.read(indices)));
          expect(bytesOf(reads[1] as Float32Array, dtype).equals(bytesOf(reads[0] as Float32Array, dtype))).toBe(true);
        }
        const bits = { data: Uint16Array.from({ length: 2 * dim }, (_, i) => 40503 * (i + 3)), shape: [2, dim] };
        for (const given of ['float16', 'bfloat16'] as const) {
          for (const table of tables) table.writeSync([3, 1], { ...bits, dtype: given });
          same();
          for (const table of tables) table.addSync({ indices: [1, 1], values: { ...bits, dtype: given } }, 0.5);
          same();
        }
        for (const table of tables) table.dispose();
      }
    }
  });

  it('keeps calls in the order in which they were made', async () => {
    const [rows, dim] = [64, 20];
    const all = Int32Array.from({ length: rows }, (_, r) => r);
    const table = await EmbeddingTable.create({ rows, dim, device: 'cuda' });
    const fill = (x: number): Float32Array => new Float32Array(rows * dim).fill(x);
    const got: Promise<number[]>[] = [];
    const seen = async (read: Promise<Float32Array>): Promise<number[]> => [...new Set(await read)];
    const losses: Promise<Float32Array>[] = [];
    for (let round = 0; round < 6; round++) {
      void table.write(all, fill(round));
      got.push(seen(table.read(all)));
      losses.push(sampledSoftmaxLoss({ ...small, inputs: new Float32Array(2 * dim).fill(0.01), weights: table }).then(({ loss }) => loss));
      void table.add({ indices: all, values: fill(0.25) }, 2);
      got.push(seen(table.view(0, rows)));
    }
    await table.add({ indices: [0], values: new Float32Array(dim) }); // after all of them
    table.addSync({ indices: all, values: fill(1) });
    expect(new Set(table.readSync([5]))).toEqual(new Set([6.5]));
    expect(await Promise.all(got)).toEqual([0, 1, 2, 3, 4, 5].flatMap((round) => [[round], [round + 0.5]]));
    // With equal weights every class has the same logit but for its count, whatever the round: the loss does not change.
    const [first, ...others] = await Promise.all(losses);
    for (const loss of others) for (let i = 0; i < 2; i++) expect(loss[i]).toBeCloseTo(first?.[i] as number, 4);
  });

  it('is read by a loss as it was when the call was made', async () => {
    const [host, device] = both(randoms(60, 3), [6, 10], 'float32');
    const call = { ...small, inputs: randoms(20, 4), gradients: { mode: 'merged' } } as const;
    const want = sampledSoftmaxLossSync({ ...call, weights: host, device: 'cuda' });
    const got = sampledSoftmaxLoss({ ...call, weights: device });
    const written = device.write([0, 1, 2, 3, 4, 5], new Float32Array(60).fill(NaN));
    device.dispose();
    const { loss, gradients } = await got;
    await written;
    expect(loss).toEqual(want.loss);
    expect(gradients).toEqual(want.gradients);
    await expect(device.read([0])).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  it('is shared with other threads by its token', async () => {
    const table = EmbeddingTable.createSync({ rows: 32, dim: 12, device: 'cuda' });
    const body = `
      const table = lib.EmbeddingTable.fromToken(data);
      const indices = Int32Array.from({ length: 32 }, (_, r) => r);
      const values = new Float32Array(32 * 12).fill(1);
      for (let i = 0; i < 20; i++) i % 2 ? table.addSync({ indices, values }) : await table.add({ indices, values });
      post([table.device, new Set(await table.read(indices)).size]);
      table.dispose();`;
    const messages = await Promise.all(
      [1, 2, 3].map(() => new Promise((resolve, reject) => inWorker(body, table.token()).once('message', resolve).once('error', reject))),
    );
    // A reader sees whole additions only.
    expect(messages).toEqual([1, 2, 3].map(() => ['cuda:0', 1]));
    expect(new Set(await table.read([0, 31]))).toEqual(new Set([60]));
    table.dispose();
  });

  it('decides where a call computes', () => {
    const [host, device] = both(randoms(6, 3), [3, 2], 'float32');
    expect(sampledSoftmaxLossSync({ ...small, weights: device }).loss).toEqual(
      sampledSoftmaxLossSync({ ...small, weights: host, device: 'cuda' }).loss,
    );
    const refused = (message: string): unknown =>
      expect.objectContaining({ name: 'SampledSoftmaxRangeError', code: 'ERR_INVALID_ARG_VALUE', message });
    const asked = "device: 'cpu' was asked for, but weights is a table on 'cuda:0'";
    expect(() => sampledSoftmaxLossSync({ ...small, weights: device, device: 'cpu' })).toThrow(refused(asked));
    const onlyBiases = { ...small, weights: host, biases: EmbeddingTable.createSync({ rows: 3, dim: 1, device: 'cuda' }) };
    expect(() => sampledSoftmaxLossSync({ ...onlyBiases, device: 'cpu' })).toThrow(refused(asked.replace('weights', 'biases')));
    expect(sampledSoftmaxLossSync(onlyBiases).loss).toEqual(sampledSoftmaxLossSync({ ...small, weights: device }).loss);
  });
});

describe.skipIf(!hasDevice || !isEmulated)('tables on emulated devices', () => {
  it('of another device than the call, or than each other, are refused', async () => {
    const body = `
      const table = (device, dim) => lib.EmbeddingTable.createSync({ rows: 3, dim, device });
      const [a, b] = [table('cuda:0', 2), table('cuda:1', 1)];
      const call = { labels: [0, 1], inputs: new Float32Array(4), numSampled: 2, seed: 1 };
      const said = async (run) => { try { await run(); } catch ({ code, message }) { post([code, message]); } };
      await said(() => lib.sampledSoftmaxLoss({ ...call, weights: a, device: 'cuda:1' }));
      await said(() => lib.sampledSoftmaxLossSync({ ...call, weights: a, biases: b }));
      const other = table('cuda:1', 2);
      const { gradients } = lib.sampledSoftmaxLossSync({ ...call, weights: other, gradients: { mode: 'merged', onDevice: true } });
      post([other.device, gradients.weights.device]);
      await said(() => a.add(gradients.weights));
      await said(() => table('cpu', 2).addSync(gradients.weights));
      other.addSync(gradients.weights);
      await said(() => table('cuda:2', 2));`;
    expect(await posted(body, { CUEMU_DEVICES: '2' })).toEqual([
      ['ERR_INVALID_ARG_VALUE', "device: 'cuda:1' was asked for, but weights is a table on 'cuda:0'"],
      ['ERR_INVALID_ARG_VALUE', "biases: a table on 'cuda:1', but weights is one on 'cuda:0'"],
      ['cuda:1', 'cuda:1'],
      ['ERR_INVALID_ARG_VALUE', "rowGradients: they are on 'cuda:1', but the table is on 'cuda:0'"],
      ['ERR_INVALID_ARG_VALUE', "rowGradients: they are on 'cuda:1', but the table is on 'cpu'; toHost() gives a copy that it takes"],
      ['ERR_DEVICE_UNAVAILABLE', "device: 'cuda:2' is not available: there are 2 CUDA devices, 'cuda:0' to 'cuda:1'"],
    ]);
  });

  it('are refused where there is no room, and give theirs back', async () => {
    const body = `
      const make = (rows) => lib.EmbeddingTable.create({ rows, dim: 64, init: 'uniform', device: 'cuda' });
      const failure = (promise) => promise.then(() => 'made', ({ name, code, message }) => [name, code, message.replace(/\\d{8,}/g, 'N')]);
      for (let i = 0; i < 4; i++) {
        const first = await make(10_000);
        if (i === 0) post(await failure(make(10_000)));
        const { gradients } = lib.sampledSoftmaxLossSync({ weights: first, labels: [1], inputs: new Float32Array(64), numSampled: 5,
          seed: 1, gradients: { mode: 'merged', onDevice: true } });
        first.addSync(gradients.weights);
        gradients.weights.dispose();
        first.dispose();
        lib.releaseMemory();
      }
      const last = await make(12_000);
      post(last.rows);
      last.dispose();
      lib.releaseMemory();`;
    const { lines, findings } = await withFindings(body, { CUEMU_MEMORY: `${4 << 20}` });
    expect(findings).toEqual([]);
    const [refused, made] = lines as [string[], number];
    expect(refused.slice(0, 2)).toEqual(['SampledSoftmaxError', 'ERR_OUT_OF_MEMORY']);
    expect(refused[2]).toMatch(
      /^a table of \[10000, 64\] float32: CUDA: 2560000 bytes on cuda:0, of whose 4194304 bytes \d+ are free: out of memory/,
    );
    expect(made).toBe(12_000);
  });

  it('leave nothing behind, and do nothing that the emulator finds, under every schedule', async () => {
    const body = `
      const table = (dim, seed) => lib.EmbeddingTable.createSync({ rows: 300, dim, init: 'normal', seed, dtype: 'bfloat16', device: 'cuda' });
      const [w, b, x] = [table(21, 1), table(1, 2), table(21, 3)];
      const calls = [];
      const sampler = new lib.UniformSampler({ rangeMax: 300, numSampled: 40, seed: 3 });
      const inputs = Float32Array.from({ length: 63 }, (_, i) => Math.sin(i));
      for (let i = 0; i < 5; i++) {
        calls.push(w.read([i, 299]), w.view(0, 30));
        const { gradients } = await lib.sampledSoftmaxLoss({ weights: w, biases: b, labels: [1, i, 5], inputs, sampler,
          gradients: { mode: 'merged', onDevice: true } });
        calls.push(w.add(gradients.weights, -0.1), b.add(gradients.biases, -0.1), w.write([i], inputs.subarray(0, 21)));
        gradients.weights.dispose();
        gradients.biases.dispose();
        // A table as inputs, read while it is about to be written.
        calls.push(lib.sampledSoftmaxLoss({ weights: w, labels: Int32Array.from({ length: 300 }, (_, k) => k), inputs: x, sampler }), x.write([i], inputs.subarray(0, 21)));
      }
      await Promise.all(calls);
      const { createHash } = await import('node:crypto');
      const hash = createHash('sha256').update(w.viewSync(0, 300)).update(b.viewSync(0, 300)).digest('hex');
      for (const one of [w, b, x]) one.dispose();
      lib.releaseMemory();
      post(hash);
      if (process.env.KEEP) lib.EmbeddingTable.createSync({ rows: 1, dim: 1, device: 'cuda' });`;
    const hashes = new Set<string>();
    for (const schedule of [
      { CUEMU_STREAMS: 'lazy' },
      { CUEMU_STREAMS: 'eager', CUEMU_ORDER: 'rev' },
      { CUEMU_ORDER: 'rand', CUEMU_SEED: '7', CUEMU_PREEMPT: '50', SAMPLED_SOFTMAX_CUDA_STAGED_BYTES: '600' },
    ]) {
      const { lines, findings } = await withFindings(body, schedule);
      expect(findings).toEqual([]);
      hashes.add(lines[0] as string);
    }
    expect(hashes.size).toBe(1);
    // What is left is seen.
    const left = (await withFindings(body, { KEEP: '1' })).findings;
    expect(left).toContainEqual(expect.stringMatching(/^leak: 16 bytes of device memory/));
  });

  it('move rows piece by piece where they are many', async () => {
    const body = `
      const rows = 50, dim = 9;
      const values = Float32Array.from({ length: rows * dim }, (_, i) => i);
      const table = await lib.EmbeddingTable.fromValues({ data: values, shape: [rows, dim] }, { device: 'cuda', dtype: 'float64' });
      const host = await lib.EmbeddingTable.fromValues({ data: values, shape: [rows, dim] }, { device: 'cpu', dtype: 'float64' });
      const indices = Int32Array.from({ length: 120 }, (_, i) => (i * i) % (i < 60 ? 7 : rows));
      const more = Float32Array.from({ length: 120 * dim }, (_, i) => Math.sin(i));
      for (const t of [table, host]) {
        await t.add({ indices, values: more }, -0.7);
        t.addSync({ indices, values: more }, 0.1);
        await t.write([4, 9, 2, 40, 30, 20], more.subarray(0, 54));
      }
      const same = (a, b) => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
      post([same(table.viewSync(3, 44), host.viewSync(3, 44)), same(await table.read(indices), await host.read(indices))]);`;
    for (const bytes of ['1', '200', '1000']) {
      expect(await posted(body, { SAMPLED_SOFTMAX_CUDA_STAGED_BYTES: bytes })).toEqual([[true, true]]);
    }
  });

  it('count elements in 64 bits', async () => {
    // As if the table began at row 2^31 + 5 of a larger one: elements from 3 * 2^31 on. An index of 32 bits would lead out
    // of the memory, which the emulator ends the call for.
    const first = 2n ** 31n + 5n;
    const body = `
      const make = (dtype, init) => lib.EmbeddingTable.createSync({ rows: 40, dim: 3, dtype, init, seed: 9, device: 'cuda' });
      const drawn = make('float64', { type: 'uniform', min: -0.5, max: 0.5 });
      post([...drawn.viewSync(0, 2)]);
      for (const dtype of ['float32', 'float64', 'float16', 'bfloat16']) {
        const table = make(dtype, 'zeros');
        table.writeSync([39, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
        table.addSync({ indices: [2, 2, 5], values: Float64Array.of(1, 1, 1, 2, 2, 2, 7, 7, 7) }, 2);
        const biases = lib.EmbeddingTable.createSync({ rows: 40, dim: 1, dtype, device: 'cuda' });
        biases.writeSync([39], Float32Array.of(0.5));
        const call = { weights: table, biases, labels: [39, 2], inputs: new Float32Array(6).fill(0.1), gradients: true };
        const host = { ...call, weights: new Float32Array(120), biases: new Float32Array(40) };
        host.weights.set(await table.read(Int32Array.from({ length: 40 }, (_, i) => i)));
        host.biases[39] = 0.5;
        const [a, b] = [lib.softmaxLossSync(call), lib.softmaxLossSync({ ...host, device: 'cuda' })];
        const { gradients } = lib.sampledSoftmaxLossSync({ ...call, numSampled: 6, seed: 1, gradients: { mode: 'merged', onDevice: true } });
        table.addSync(gradients.weights, 0);
        post([[...table.readSync([39, 2, 5])], JSON.stringify(a) === JSON.stringify(b)]);
      }`;
    const [drawn, ...others] = await posted(body, { SAMPLED_SOFTMAX_CUDA_FIRST_ROW: String(first) });
    expect(drawn).toEqual(Array.from({ length: 6 }, (_, i) => centred(9n, first * 3n + BigInt(i))));
    expect(others).toEqual(dtypes.map(() => [[1, 2, 3, 10, 11, 12, 14, 14, 14], true]));
  });
});

/** Element `i` of a table that is uniform in [-1/2, 1/2], by the definition: Philox4x32-10, 52 bits of each pair of words. */
function centred(seed: bigint, i: bigint): number {
  const low32 = 0xffffffffn;
  let [c0, c1, c2, c3] = [(i / 2n) & low32, (i / 2n) >> 32n, 0x7461626c65n & low32, 0x7461626c65n >> 32n];
  let [k0, k1] = [seed & low32, seed >> 32n];
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & low32, (p0 >> 32n) ^ c3 ^ k1, p0 & low32];
    [k0, k1] = [(k0 + 0x9e3779b9n) & low32, (k1 + 0xbb67ae85n) & low32];
  }
  const bits = i % 2n === 0n ? (c1 << 32n) | c0 : (c3 << 32n) | c2;
  return (Number(bits >> 12n) + 0.5) * 2 ** -52 - 0.5;
}
