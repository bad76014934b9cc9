/** The systems that the package is compared with on a GPU, each measured in a process of its own by peers.py. */
import type { CudaDevice } from 'sampled-softmax';
import { products, type Products } from '../cuda-model.ts';
import type { Options } from '../options.ts';
import { interpreters, type PeerPlaces } from '../peers.ts';
import { runProgram, scriptPath } from '../processes.ts';
import { workloadFlags, type Workload } from '../workloads.ts';
import type { Form, Timing } from './results.ts';
import type { StepName } from './steps.ts';

export interface Peer {
  readonly name: string;
  readonly python: string;
  /** Its name and version, and the GPU on which it has been seen to compute. */
  readonly system: string;
  readonly device: string;
}

type Log = (line: string) => void;

/** A problem that takes no time. */
const small: Workload = { name: 'small', batch: 16, dim: 16, numSampled: 16, numClasses: 1000, from: '' };

/** The peers that compute on the GPU; of every other that was asked for, one line says why it is left out. */
export async function findPeers(places: PeerPlaces, device: CudaDevice, threads: number, log: Log): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const [name, place] of Object.entries(interpreters)) {
    const python = places[place];
    if (python === undefined) continue;
    try {
      const flags = [...workloadFlags(small, threads), '--seconds', '0', '--probe'];
      peers.push({ name, python, ...((await runPeer(name, python, device, flags)) as { system: string; device: string }) });
    } catch (error) {
      log(`${name} is left out: ${(error as Error).message}`);
    }
  }
  return peers;
}

const stepOf: Record<string, StepName> = { step: 'merged', training: 'training' };
const formOf: Record<string, Form> = { awaited: 'sync', queued: 'two' };

/** What peers.py prints of each figure; without a form where both failed, without a step where all did. */
interface PeerTiming {
  readonly arithmetic: Products;
  readonly step?: string;
  readonly form?: string;
  readonly ms?: number;
  readonly failure?: string;
}

/** All of a peer's figures in one round. */
export async function timePeer(peer: Peer, workload: Workload, device: CudaDevice, options: Options, log: Log): Promise<Timing[]> {
  const flags = [...workloadFlags(workload, options.threads), '--seconds', String(options.seconds)];
  const wanted = products.flatMap((arithmetic) => ['--arithmetic', arithmetic]);
  let timings: readonly PeerTiming[];
  try {
    ({ timings } = (await runPeer(peer.name, peer.python, device, [...flags, ...wanted])) as { timings: readonly PeerTiming[] });
  } catch (error) {
    timings = products.map((arithmetic) => ({ arithmetic, failure: (error as Error).message }));
  }
  return timings.flatMap((timing) => {
    const { arithmetic, ms, failure = 'no time' } = timing;
    log(`${peer.name} ${arithmetic} ${timing.step ?? ''} ${timing.form ?? ''}: ${ms === undefined ? failure : `${ms.toFixed(3)} ms`}`);
    const steps = timing.step === undefined ? Object.values(stepOf) : [stepOf[timing.step]!];
    const forms = timing.form === undefined ? Object.values(formOf) : [formOf[timing.form]!];
    const time = ms === undefined ? { failure } : { ms };
    return steps.flatMap((step) => forms.map((form) => ({ by: peer.name, arithmetic, step, form, time })));
  });
}

const runPeer = (name: string, python: string, device: CudaDevice, flags: readonly string[]): Promise<unknown> =>
  // Without -B Python would leave its bytecode beside the sources.
  runProgram(python, ['-B', scriptPath('peers.py'), '--peer', name, '--device', device.name, ...flags]);
