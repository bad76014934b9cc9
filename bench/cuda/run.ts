/** The bench on a GPU: each step of the package in each arithmetic and form, and the same steps of other systems on the same GPU. */
import { info, setThreads, type CudaDevice } from 'sampled-softmax';
import { boundOfStep, gpuCalled, products, type Gpu, type Products } from '../cuda-model.ts';
import type { Options } from '../options.ts';
import type { Report } from '../results.ts';
import { timeStep } from '../timing.ts';
import type { Workload } from '../workloads.ts';
import { findDevice } from './device.ts';
import { timeInFlight } from './in-flight.ts';
import { findPeers, timePeer } from './peers.ts';
import { forms, ours, type CudaResults, type CudaWorkload, type Form, type Time, type Timing } from './results.ts';
import { stepNames, withSteps, type Step, type StepName } from './steps.ts';
import { markdown } from './table.ts';

type Log = (line: string) => void;

export async function runOnCuda(options: Options, name: CudaDevice['name'], log: Log): Promise<Report> {
  const device = findDevice(name);
  setThreads(options.threads);
  const peers = await findPeers(options.places, device, options.threads, log);
  const gpu = options.gpu ?? gpuCalled(device.description);
  const workloads: CudaWorkload[] = [];
  for (const workload of options.workloads) {
    log(`${workload.name}: ${workload.from}`);
    const rounds: Timing[][] = [];
    for (let round = 0; round < options.rounds; round++) {
      const timings = await timeOurs(workload, device, options.seconds, log);
      for (const peer of peers) timings.push(...(await timePeer(peer, workload, device, options, log)));
      rounds.push(timings);
    }
    workloads.push({ workload, leastMs: gpu && leastTimes(workload, gpu), rounds });
  }
  const machine = { device, boundOf: gpu?.name, node: process.version, package: info().version };
  const results: CudaResults = { machine, scale: options.scale, peers: peers.map(({ python: _, ...peer }) => peer), workloads };
  return { results, tables: markdown(results) };
}

const leastTimes = (workload: Workload, gpu: Gpu): Record<Products, number> => ({
  float32: boundOfStep(workload, gpu, 'float32') / 1e3,
  tf32: boundOfStep(workload, gpu, 'tf32') / 1e3,
  bfloat16: boundOfStep(workload, gpu, 'bfloat16') / 1e3,
});

/** All of ours in one round. */
async function timeOurs(workload: Workload, device: CudaDevice, seconds: number, log: Log): Promise<Timing[]> {
  const timings: Timing[] = [];
  for (const arithmetic of products) {
    const note = (step: StepName, form: Form, time: Time): void => {
      timings.push({ by: ours, arithmetic, step, form, time });
      log(`${arithmetic} ${step} ${form}: ${'ms' in time ? `${time.ms.toFixed(3)} ms` : time.failure}`);
    };
    try {
      await withSteps(workload, arithmetic, device.name, async (steps) => {
        // A GPU that had nothing to do takes a while to reach its clock.
        await timeForm(steps.merged, 'two', seconds);
        for (const step of stepNames) for (const form of forms) note(step, form, await timeForm(steps[step], form, seconds));
      });
    } catch (error) {
      // No room for the tables, for instance.
      for (const step of stepNames) note(step, 'sync', { failure: (error as Error).message });
    }
  }
  return timings;
}

async function timeForm(step: Step, form: Form, seconds: number): Promise<Time> {
  try {
    if (form === 'sync') return { ms: await timeStep(step.sync, seconds) };
    return { ms: await timeInFlight(step.promised, form === 'one' ? 1 : 2, seconds) };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}
