/** Which devices are found, when they are looked for, and what is said where there are none: each in a process of its own. */
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildFakeBackend } from './fake-backends/build.ts';
import { inProcess } from './processes.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const addon = (createRequire(import.meta.url)('node-gyp-build') as { resolve: (folder: string) => string }).resolve(root);
const mindspore = new URL('../lib/mindspore.ts', import.meta.url).href;
const { available, environment, folder, library, takeLog } = buildFakeBackend();
const notLooked = { available: false, reason: "no CUDA device has been looked for yet; devices(), or a call with device: 'cuda', looks" };

/** What the body posts, in a process that finds no devices by itself. */
async function posted(body: string, environment: Record<string, string> = {}): Promise<unknown[]> {
  const none = { SAMPLED_SOFTMAX_DEVICE: '', SAMPLED_SOFTMAX_CUDA_LIBRARY: '/nowhere/none.so' };
  const { code, output } = await inProcess(body, { ...none, ...environment });
  expect(code, output).toBe(0);
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

/** `call(device)` runs a loss, `failure(run)` gives what its error says. */
const calls = `
  const options = { weights: new Float32Array(12), labels: [0, 1], inputs: Float32Array.of(7, 0, 0, 0, 0, 0, 0, 0), numClasses: 3 };
  const call = (device) => lib.softmaxLossSync(device === undefined ? options : { ...options, device });
  const failure = (run) => { try { run(); } catch ({ name, code, message }) { return { name, code, message }; } };`;

const unavailable = (message: string) => ({ name: 'SampledSoftmaxError', code: 'ERR_DEVICE_UNAVAILABLE', message });

describe('without a device', () => {
  const body = `${calls}
    post(lib.info().cuda);
    post(failure(() => call('cuda:1')));
    post(lib.info().cuda);
    post(lib.devices());
    post(await lib.softmaxLoss({ ...options, device: 'cuda' }).catch((error) => error.code));
    post(call().loss.length);`;
  const expectReason = async (reason: string, environment: Record<string, string>, before = ''): Promise<void> => {
    expect(await posted(before + body, environment)).toEqual([
      notLooked,
      unavailable(`device: 'cuda:1' is not available: ${reason}`),
      { available: false, reason },
      [{ name: 'cpu', type: 'cpu' }],
      'ERR_DEVICE_UNAVAILABLE',
      2,
    ]);
  };

  it('a named file that cannot be opened', async () => {
    const error = 'cannot open shared object file: No such file or directory';
    const reason = (file: string) => `SAMPLED_SOFTMAX_CUDA_LIBRARY names a file that cannot be opened: ${file}: ${error}`;
    await expectReason(reason('/nowhere/none.so'), {});
    // Not searched for in the system's folders, where there is a file of this name.
    await expectReason(reason('./libm.so.6'), { SAMPLED_SOFTMAX_CUDA_LIBRARY: 'libm.so.6' });
    const long = `/${'long/'.repeat(60)}none.so`;
    await expectReason(reason(long), { SAMPLED_SOFTMAX_CUDA_LIBRARY: long });
  });

  it('a library without the function', async () => {
    const reason = `the CUDA library ${addon} has no function sampled_softmax_backend`;
    await expectReason(reason, { SAMPLED_SOFTMAX_CUDA_LIBRARY: addon });
  });

  describe.skipIf(!available)('(a fake backend)', () => {
    it.each([
      ['null', `the CUDA library ${library} gave no backend`],
      [
        'version 99',
        `the CUDA library ${library} has version 99 of the backend interface, but this build of sampled-softmax has version 3`,
      ],
      ['no driver', 'driver 470.1 is older than the 580.2 that is needed'],
      ['no device', `the CUDA library ${library} found no device`],
    ])('%s', async (kind, reason) => {
      await expectReason(reason, { ...environment, FAKE_KIND: kind });
    });

    it('the library is looked for beside the addon', async () => {
      const beside = join(folder, 'beside');
      mkdirSync(beside);
      const copy = join(beside, 'addon.node');
      copyFileSync(addon, copy);
      const path = `lib.setAddonPath(${JSON.stringify(copy)});`;
      const shipped = join(beside, 'libsampled_softmax_cuda.so');
      const ask = { ...environment, SAMPLED_SOFTMAX_CUDA_LIBRARY: '' };
      await expectReason(`this build of sampled-softmax has no CUDA library: there is no file ${shipped}`, ask, path);
      writeFileSync(shipped, 'not a library, but long enough to be read as the header of one: '.repeat(3));
      await expectReason(`the CUDA library cannot be opened: ${shipped}: invalid ELF header`, ask, path);
      copyFileSync(library, shipped);
      expect(await posted(`${path} post(lib.devices().length)`, ask)).toEqual([3]);
    });
  });

  it('the default says who asked', async () => {
    const [said] = await posted(`${calls} post(failure(() => call()));`, { SAMPLED_SOFTMAX_DEVICE: 'cuda' });
    expect(said).toMatchObject({ message: expect.stringMatching(/^SAMPLED_SOFTMAX_DEVICE: 'cuda:0' is not available: /) as string });
  });

  it.each(['gpu', 'CUDA', 'cuda:', 'cuda:-1', 'cuda:01', 'cuda:1 ', 'cuda:1000000000', 'cpu:0'])(
    'SAMPLED_SOFTMAX_DEVICE=%s is refused',
    async (value) => {
      const [said] = await posted(`${calls} post([failure(() => lib.info()), failure(() => call('cpu'))]);`, {
        SAMPLED_SOFTMAX_DEVICE: value,
      });
      const message = `SAMPLED_SOFTMAX_DEVICE=${value}: expected auto, cpu, cuda or cuda:<index>`;
      expect(said).toEqual(new Array(2).fill({ name: 'SampledSoftmaxError', code: 'ERR_ENVIRONMENT', message }));
    },
  );
});

describe.skipIf(!available)('with two devices', () => {
  const two = [
    { name: 'cpu', type: 'cpu' },
    { name: 'cuda:0', type: 'cuda', description: 'Fake 0', memory: 5 * 2 ** 32, computeCapability: '9.0' },
    { name: 'cuda:1', type: 'cuda', description: 'Fake 1', memory: 5 * 2 ** 32 + 1, computeCapability: '9.1' },
  ];

  it('are listed, and looked for once', async () => {
    takeLog();
    const body = 'post(lib.devices()); post(lib.info().cuda); post(lib.devices().length);';
    expect(await posted(body, environment)).toEqual([two, { available: true, reason: '' }, 3]);
    expect(takeLog()).toEqual(['open 0', 'count 0']);
  });

  it('are looked for once by threads that look at the same time', async () => {
    const { code, output } = await inProcess(
      `const { Worker } = await import('node:worker_threads');
      const script = new URL(${JSON.stringify(new URL('./run-with-package.mjs', import.meta.url).href)});
      const start = new Int32Array(new SharedArrayBuffer(8));
      const body = \`lib.info();
        Atomics.add(data, 1, 1);
        Atomics.wait(data, 0, 0);
        post(lib.devices().length);\`;
      const workers = Array.from({ length: 4 }, () => new Worker(script, { workerData: { body, data: start } }));
      const counts = workers.map((worker) => new Promise((resolve) => worker.once('message', resolve)));
      while (Atomics.load(start, 1) < 4) await new Promise((resolve) => setTimeout(resolve, 5));
      Atomics.store(start, 0, 1);
      Atomics.notify(start, 0);
      post(await Promise.all(counts));`,
      environment,
    );
    expect([code, output.trim()]).toEqual([0, '[3,3,3,3]']);
    expect(takeLog()).toEqual(['open 0', 'count 0']);
  });

  it('are not looked for by whoever does not want one', async () => {
    const body = `${calls}
      const table = await lib.EmbeddingTable.create({ rows: 3, dim: 4 });
      call(); call('cpu'); call('auto');
      await Promise.all([{}, { device: 'auto' }, { device: 'cpu' }].map((more) => lib.softmaxLoss({ ...options, weights: table, ...more })));
      new lib.UniformSampler({ rangeMax: 5, numSampled: 2 }).sample({ trueClasses: [1] });
      lib.setThreads(2);
      lib.releaseMemory();
      post(lib.info().cuda);`;
    expect(await posted(body, environment)).toEqual([notLooked]);
    expect(takeLog()).toEqual([]);
    expect(await posted(body, { ...environment, SAMPLED_SOFTMAX_DEVICE: 'cpu' })).toEqual([notLooked]);
    expect(takeLog()).toEqual([]);
  });

  it('the option chooses among them', async () => {
    const body = `${calls}
      post(['cuda', 'cuda:0', 'cuda:1'].map((device) => call(device).loss[0]));
      post(['cuda:2', 'cuda:99999999999999999999'].map((device) => failure(() => call(device))));
      const sampler = new lib.UniformSampler({ rangeMax: 3, numSampled: 2, seed: 1 });
      const state = JSON.stringify(sampler.state());
      failure(() => lib.sampledSoftmaxLossSync({ ...options, sampler, device: 'cuda:2' }));
      post(JSON.stringify(sampler.state()) === state);
      const { SampledSoftmaxLoss } = await import(${JSON.stringify(mindspore)});
      const sizes = { numSampled: 2, numClasses: 3 };
      const { numClasses, ...arrays } = options;
      post(new SampledSoftmaxLoss({ ...sizes, device: 'cuda:1' }).forwardSync(arrays).loss[0]);
      post((await new SampledSoftmaxLoss({ ...sizes, device: 'cuda' }).forward(arrays)).loss[0]);
      post(failure(() => new SampledSoftmaxLoss({ ...sizes, device: 'cuda:5' })));
      post(failure(() => new SampledSoftmaxLoss({ ...sizes, device: 'gpu' })).message);`;
    const there = "there are 2 CUDA devices, 'cuda:0' to 'cuda:1'";
    expect(await posted(body, environment)).toEqual([
      [7, 7, 1007],
      [
        unavailable(`device: 'cuda:2' is not available: ${there}`),
        unavailable(`device: 'cuda:99999999999999999999' is not available: ${there}`),
      ],
      true,
      1007,
      7,
      unavailable(`SampledSoftmaxLoss: device: 'cuda:5' is not available: ${there}`),
      "SampledSoftmaxLoss: device: expected 'auto', 'cpu', 'cuda' or 'cuda:<index>', got 'gpu'",
    ]);
  });

  it('one of one', async () => {
    const [said] = await posted(`${calls} post(failure(() => call('cuda:1')));`, { ...environment, FAKE_DEVICES: '1' });
    expect(said).toEqual(unavailable("device: 'cuda:1' is not available: there is one CUDA device, 'cuda:0'"));
  });

  it.each([
    ['auto', Math.log(3)],
    ['cpu', Math.log(3)],
    ['cuda', 7],
    ['cuda:0', 7],
    ['cuda:1', 1007],
  ])('SAMPLED_SOFTMAX_DEVICE=%s is the default, and no more', async (value, want) => {
    const body = `${calls}
      post([call().loss[0], call('auto').loss[0], (await lib.softmaxLoss(options)).loss[0], call('cpu').loss[0], call('cuda:1').loss[0]]);`;
    const [losses] = (await posted(body, { ...environment, SAMPLED_SOFTMAX_DEVICE: value })) as [number[]];
    expect(losses.map((loss) => loss.toFixed(4))).toEqual([want, want, want, Math.log(3), 1007].map((loss) => loss.toFixed(4)));
  });

  it('a default that is not there is refused', async () => {
    const [said] = await posted(`${calls} post(failure(() => call()));`, { ...environment, SAMPLED_SOFTMAX_DEVICE: 'cuda:2' });
    expect(said).toEqual(unavailable("SAMPLED_SOFTMAX_DEVICE: 'cuda:2' is not available: there are 2 CUDA devices, 'cuda:0' to 'cuda:1'"));
  });

  it('a file named without a folder is one of the working directory', async () => {
    symlinkSync(library, join(folder, 'named.so'));
    const body = `process.chdir(${JSON.stringify(folder)}); post(lib.devices().length);`;
    expect(await posted(body, { ...environment, SAMPLED_SOFTMAX_CUDA_LIBRARY: 'named.so' })).toEqual([3]);
  });

  it('releaseMemory() reaches a backend that has been found', async () => {
    takeLog();
    const body = `${calls} lib.devices(); lib.releaseMemory(); post(failure(() => lib.releaseMemory()) ?? null);`;
    expect(await posted(body, environment)).toEqual([null]);
    expect(takeLog()).toEqual(['open 0', 'count 0', 'release 0', 'release 0']);
    const [said] = await posted(`${calls} call('cuda'); post(failure(() => lib.releaseMemory()));`, {
      ...environment,
      FAKE_KIND: 'release fails',
    });
    expect(said).toEqual({ name: 'SampledSoftmaxError', code: 'ERR_DEVICE_FAILED', message: 'the device is gone' });
  });

  it('a device that does not answer is an error', async () => {
    const [said] = await posted(`${calls} post(failure(() => lib.devices()));`, { ...environment, FAKE_KIND: 'no answer' });
    expect(said).toEqual({ name: 'SampledSoftmaxError', code: 'ERR_DEVICE_FAILED', message: 'device 0 does not answer' });
  });
});
