/** The signal of the Promise forms: what it stops, when, and what is left then. */
import { getEventListeners } from 'node:events';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LogUniformSampler, sampledSoftmaxLoss, sampledSoftmaxLossSync, setThreads, softmaxLoss } from '../lib/index.ts';
import { batch, dim, endless, holdUp, large, refusal } from './async-calls.ts';
import { sized } from './device.ts';
import { smallProblem, smallSampler } from './problems.ts';

// On one thread, so that on no machine the large call is over before the tests look.
beforeAll(() => setThreads(1));

describe('abort', () => {
  const advanced = (sampler: LogUniformSampler, by: number): void => {
    const same = smallSampler();
    for (let i = 0; i < by; i++) same.sample({ trueClasses: [] });
    expect(sampler.state()).toEqual(same.state());
  };

  it('before the call: its reason, and the sampler has advanced', async () => {
    const sampler = smallSampler();
    const reason = { why: 'no longer wanted' };
    expect(await refusal(sampledSoftmaxLoss({ ...smallProblem(), sampler, signal: AbortSignal.abort(reason) }))).toBe(reason);
    advanced(sampler, 1);
    // What is wrong with the arguments is said first, and draws nothing.
    const wrong = { ...smallProblem(), labels: [600], sampler, signal: AbortSignal.abort(reason) };
    expect(await refusal(sampledSoftmaxLoss(wrong))).toMatchObject({ code: expect.stringContaining('ERR_') as string });
    advanced(sampler, 1);
  });

  it('during the call: its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    // A device ends what it has begun.
    const long = sized<typeof endless | typeof large>(endless, large, large);
    const pending = refusal(softmaxLoss({ ...long, signal: controller.signal }));
    setTimeout(() => controller.abort(reason), 20);
    expect(await pending).toBe(reason);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(await refusal(softmaxLoss({ ...long, signal: AbortSignal.timeout(20) }))).toMatchObject({ name: 'TimeoutError' });
  });

  it('while the call waits for its turn: its reason, and the sampler has advanced', async () => {
    const controller = new AbortController();
    const sampler = smallSampler();
    const letGo = holdUp();
    const waiting = refusal(sampledSoftmaxLoss({ ...smallProblem(), sampler, signal: controller.signal }));
    const last = sampledSoftmaxLoss({ ...smallProblem(), sampler });
    controller.abort('enough');
    await letGo();
    expect(await waiting).toBe('enough');
    const want = smallSampler();
    want.sample({ trueClasses: [] });
    expect((await last).loss).toEqual(sampledSoftmaxLossSync({ ...smallProblem(), sampler: want }).loss);
    advanced(sampler, 2);
  });

  it('after the call: nothing', async () => {
    const controller = new AbortController();
    const { loss } = await sampledSoftmaxLoss({ ...smallProblem(), sampler: smallSampler(), signal: controller.signal });
    controller.abort();
    expect(loss).toEqual(sampledSoftmaxLossSync({ ...smallProblem(), sampler: smallSampler() }).loss);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('is what the signal says, not an event of that name', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const letGo = holdUp();
    signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
    const first = sampledSoftmaxLoss({ ...smallProblem(), sampler: smallSampler(), signal });
    for (let i = 0; i < 2; i++) signal.dispatchEvent(new Event('abort'));
    await letGo();
    expect((await first).loss).toEqual(sampledSoftmaxLossSync({ ...smallProblem(), sampler: smallSampler() }).loss);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);

    const letGoAgain = holdUp();
    const second = refusal(sampledSoftmaxLoss({ ...smallProblem(), sampler: smallSampler(), signal }));
    signal.dispatchEvent(new Event('abort'));
    controller.abort('enough');
    await letGoAgain();
    expect(await second).toBe('enough');
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  });

  it('lets an event end in which others listen again', async () => {
    const { signal } = new AbortController();
    const letGo = holdUp();
    const pending = sampledSoftmaxLoss({ ...smallProblem(), sampler: smallSampler(), signal });
    let times = 0;
    const again = (): void => {
      if (++times < 100) signal.addEventListener('abort', again, { once: true });
    };
    again();
    signal.dispatchEvent(new Event('abort'));
    await letGo();
    await pending;
    expect(times).toBeLessThan(100);
  });

  it('gives the outputs back', async () => {
    const out = { inputs: new Float32Array(batch * dim) };
    const options = { ...large, gradients: { out } };
    const controller = new AbortController();
    const pending = refusal(softmaxLoss({ ...options, signal: controller.signal }));
    setTimeout(() => controller.abort(), 10);
    expect(await pending).toMatchObject({ name: 'AbortError' });
    expect(await refusal(softmaxLoss({ ...options, signal: AbortSignal.abort() }))).toMatchObject({ name: 'AbortError' });
    expect((await softmaxLoss(options)).gradients.inputs).toBe(out.inputs);
  });

  it('may follow one signal, with one listener', async () => {
    const controller = new AbortController();
    const sampler = smallSampler();
    const letGo = holdUp();
    const calls = Array.from({ length: 20 }, () => refusal(sampledSoftmaxLoss({ ...smallProblem(), sampler, signal: controller.signal })));
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort('enough');
    await letGo();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['enough']));
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });
});
