/** The systems that the package is compared with, each measured in a process of its own that ends before ours goes on. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { Contestant } from './interleave.ts';
import { runProgram, runScript, scriptPath } from './processes.ts';
import { workloadFlags, type Workload } from './workloads.ts';

/** Where the peers are: Python interpreters that have them, and a folder in whose `node_modules` TensorFlow.js is. */
export interface PeerPlaces {
  readonly tensorflow?: string | undefined;
  readonly torch?: string | undefined;
  readonly jax?: string | undefined;
  readonly tfjs?: string | undefined;
}

/** The interpreter that each peer of peers.py runs under. */
export const interpreters = { tensorflow: 'tensorflow', torch: 'torch', 'torch-compiled': 'torch', jax: 'jax' } as const;

/** Every peer that there is, for the whole step. */
export function stepPeers(places: PeerPlaces, w: Workload, threads: number): Contestant[] {
  const peers: Contestant[] = [];
  for (const [name, place] of Object.entries(interpreters)) {
    const python = places[place];
    if (python !== undefined) peers.push(pythonPeer(name, python, w, threads));
  }
  if (places.tfjs !== undefined) {
    peers.push(tfjsPeer('tfjs-wasm', places.tfjs, w, threads));
    // Minutes a step on the larger workloads: one round says enough.
    peers.push({ ...tfjsPeer('tfjs-cpu', places.tfjs, w, threads), rounds: 1 });
  }
  return peers;
}

/** Who draws the same sample (log-uniform, no repeats, expected counts). */
export function drawPeers(places: PeerPlaces, w: Workload, threads: number): Contestant[] {
  const { tensorflow } = places;
  return tensorflow === undefined ? [] : [pythonPeer('tensorflow-draw', tensorflow, w, threads)];
}

/** Whether TensorFlow.js with both backends is to be found from this folder. */
export function hasTfjs(folder: string): boolean {
  const require = createRequire(join(resolve(folder), 'package.json'));
  try {
    for (const part of ['core', 'backend-cpu', 'backend-wasm']) require.resolve(`@tensorflow/tfjs-${part}`);
    return true;
  } catch {
    return false;
  }
}

function pythonPeer(name: string, python: string, w: Workload, threads: number): Contestant {
  // Without -B Python would leave its bytecode beside the sources.
  const flags = ['-B', scriptPath('peers.py'), '--peer', name, ...workloadFlags(w, threads)];
  return {
    name,
    measure: async (seconds) => readMs(await runProgram(python, [...flags, '--seconds', String(seconds)])),
  };
}

function tfjsPeer(name: `tfjs-${string}`, folder: string, w: Workload, threads: number): Contestant {
  const flags = ['--dir', folder, '--backend', name.slice('tfjs-'.length), ...workloadFlags(w, threads)];
  return { name, measure: async (seconds) => readMs(await runScript('tfjs.ts', [...flags, '--seconds', String(seconds)])) };
}

function readMs(line: unknown): number {
  const { ms } = line as { ms?: unknown };
  if (typeof ms !== 'number') throw new Error(`no time in ${JSON.stringify(line)}`);
  return ms;
}
