/** `npm run bench`: times the package on the workloads, alone and in turn with other systems. bench/README.md explains the figures. */
import { info, setThreads } from 'sampled-softmax';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { interleave, type Contestant } from './interleave.ts';
import { help, readOptions, UsageError, type Options } from './options.ts';
import { ourSteps, promiseExtraMicroseconds, type OurSteps } from './ours.ts';
import { measurePeak } from './peak.ts';
import { drawPeers, stepPeers } from './peers.ts';
import { makeProblem } from './problem.ts';
import { runScript } from './processes.ts';
import type { Machine, Results, WorkloadResult } from './results.ts';
import { markdown } from './table.ts';
import { timeStep } from './timing.ts';
import { leastBytes, workloadFlags, type Workload } from './workloads.ts';

/** Progress goes to stderr, so that stdout holds the results and nothing else. */
const log = (line: string): void => void process.stderr.write(`${line}\n`);

try {
  const options = readOptions(process.argv.slice(2), log);
  if (options === 'help') process.stdout.write(help);
  else await run(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  log(`bench: ${error.message}`);
  process.exitCode = 2;
}

async function run(options: Options): Promise<void> {
  setThreads(options.threads);
  const machine = describeMachine(options.threads);
  const promiseExtra = await promiseExtraMicroseconds(options.seconds);
  const workloads: WorkloadResult[] = [];
  for (const workload of options.workloads) workloads.push(await measure(workload, options));
  const results: Results = { machine, promiseExtraMicroseconds: promiseExtra, workloads };
  const tables = markdown(results);
  if (options.markdown !== undefined) writeFileSync(options.markdown, tables);
  process.stdout.write(options.json ? `${JSON.stringify(results, null, 2)}\n` : tables);
}

function describeMachine(threads: number): Machine {
  const { version, cpu } = info();
  log('measuring the peak');
  return {
    cpu: cpus()[0]?.model ?? 'unknown processor',
    cores: availableParallelism(),
    threads,
    instructionSet: cpu.instructionSet,
    compiler: cpu.compiler,
    node: process.version,
    package: version,
    peakGflops: measurePeak(threads),
  };
}

async function measure(workload: Workload, { places, rounds, seconds, threads }: Options): Promise<WorkloadResult> {
  log(`${workload.name}: ${workload.from}`);
  const { extraBytes } = (await runScript('memory.ts', workloadFlags(workload, threads))) as { extraBytes: number | null };
  const ours = ourSteps(makeProblem(workload));
  const timed =
    (step: () => unknown) =>
    (time: number): Promise<number> =>
      timeStep(step, time);
  const form = (name: keyof OurSteps): Contestant => ({ name, measure: timed(ours[name]) });
  const forms = [form('forward'), form('merged'), form('bfloat16')];
  const peers = stepPeers(places, workload, threads);
  const steps = await interleave(timed(ours.step), [...forms, ...peers], rounds, seconds, log);
  const draws = await interleave(timed(ours.draw), drawPeers(places, workload, threads), rounds, seconds, log);
  const { forward, merged, bfloat16, ...others } = steps.outcomes;
  return {
    workload,
    ms: steps.ms,
    drawMs: draws.ms,
    bytes: leastBytes(workload),
    extraBytes: extraBytes ?? undefined,
    forms: { forward: forward!, merged: merged!, bfloat16: bfloat16! },
    peers: others,
    drawPeers: draws.outcomes,
  };
}
