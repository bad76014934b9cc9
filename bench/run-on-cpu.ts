/** The bench on the CPU: the package alone, and in turn with other systems. */
import { info, setThreads } from 'sampled-softmax';
import { availableParallelism, cpus } from 'node:os';
import { interleave, type Contestant } from './interleave.ts';
import type { Options } from './options.ts';
import { ourSteps, promiseExtraMicroseconds, type OurSteps } from './ours.ts';
import { Peak } from './peak.ts';
import { drawPeers, stepPeers } from './peers.ts';
import { makeProblem } from './problem.ts';
import { runScript } from './processes.ts';
import type { Machine, Report, WorkloadResult } from './results.ts';
import { markdown } from './table.ts';
import { timeStep } from './timing.ts';
import { flops, leastBytes, workloadFlags, type Workload } from './workloads.ts';

export async function runOnCpu(options: Options, log: (line: string) => void): Promise<Report> {
  setThreads(options.threads);
  const peak = Peak.compile(options.threads);
  const promiseExtra = await promiseExtraMicroseconds(options.seconds);
  const workloads: WorkloadResult[] = [];
  for (const workload of options.workloads) workloads.push(await measure(workload, options, peak, log));
  const machine = describeMachine(options.threads, peak?.best);
  const results = { machine, scale: options.scale, promiseExtraMicroseconds: promiseExtra, workloads };
  return { results, tables: markdown(results) };
}

function describeMachine(threads: number, peakGflops: number | undefined): Machine {
  const { version, cpu } = info();
  return {
    cpu: cpus()[0]?.model ?? 'unknown processor',
    cores: availableParallelism(),
    threads,
    instructionSet: cpu.instructionSet,
    compiler: cpu.compiler,
    node: process.version,
    package: version,
    peakGflops,
  };
}

async function measure(workload: Workload, options: Options, peak: Peak | undefined, log: (line: string) => void): Promise<WorkloadResult> {
  const { places, rounds, seconds, threads } = options;
  log(`${workload.name}: ${workload.from}`);
  const { extraBytes } = (await runScript('memory.ts', workloadFlags(workload, threads))) as { extraBytes: number | null };
  const ours = ourSteps(makeProblem(workload));
  const timed =
    (step: () => unknown) =>
    (time: number): Promise<number> =>
      timeStep(step, time);
  const form = (name: keyof OurSteps): Contestant => ({ name, measure: timed(ours[name]) });
  const forms = [form('forward'), form('merged'), form('bfloat16')];
  // What the multiply-adds of a step would take at the peak.
  const atPeak = (time: number): number => flops(workload) / peak!.measure(time) / 1e6;
  const peaks: Contestant[] = peak ? [{ name: 'peak', measure: (time) => Promise.resolve(atPeak(time)) }] : [];
  const peers = stepPeers(places, workload, threads);
  const steps = await interleave(timed(ours.step), [...peaks, ...forms, ...peers], rounds, seconds, log);
  const draws = await interleave(timed(ours.draw), drawPeers(places, workload, threads), rounds, seconds, log);
  const { peak: ofPeak, forward, merged, bfloat16, ...others } = steps.outcomes;
  return {
    workload,
    ms: steps.ms,
    ofPeak,
    drawMs: draws.ms,
    bytes: leastBytes(workload),
    extraBytes: extraBytes ?? undefined,
    forms: { forward: forward!, merged: merged!, bfloat16: bfloat16! },
    peers: others,
    drawPeers: draws.outcomes,
  };
}
