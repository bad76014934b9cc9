// Runs the body of an async function with the package as `lib`, in a worker (workerData: { body, data }) or in a process
// of its own (first argument: the body). Neither loads TypeScript by itself, nor does vitest help them.
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
const lib = await import('../lib/index.ts');
const AsyncFunction = (async () => undefined).constructor;
const run = new AsyncFunction('lib', 'data', 'post', isMainThread ? process.argv[2] : workerData.body);
const post = isMainThread ? (value) => console.log(JSON.stringify(value)) : (value) => parentPort.postMessage(value);
await run(lib, isMainThread ? undefined : workerData.data, post);
