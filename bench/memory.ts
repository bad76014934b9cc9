/**
 * Run by the bench in a process of its own: the extra memory of one call, in bytes, beyond what it returns. The kernel's
 * high-water mark of resident memory is set back before the call; where there is none (not Linux), the answer is null.
 */
import { setThreads } from 'sampled-softmax';
import { readFileSync, writeFileSync } from 'node:fs';
import { stepOf } from './ours.ts';
import { makeProblem } from './problem.ts';
import { outputBytes, readWorkload } from './workloads.ts';

const { workload, threads } = readWorkload();
setThreads(threads);
// Code, threads and their stacks belong to no call: a small one brings them in.
stepOf(makeProblem({ ...workload, name: 'small', batch: 16, dim: 8, numSampled: 16, numClasses: 100 }))();
const step = stepOf(makeProblem(workload));
console.log(JSON.stringify({ extraBytes: extraBytes() }));

function extraBytes(): number | null {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    return null;
  }
  const before = statusBytes('VmRSS');
  step();
  return Math.max(0, statusBytes('VmHWM') - before - outputBytes(workload));
}

function statusBytes(field: string): number {
  const kilobytes = new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
