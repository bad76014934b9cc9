// Runs `workerData.body` as an async function. A worker does not load TypeScript by itself, nor does vitest help it.
import { parentPort, workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
const { EmbeddingTable } = await import('../lib/index.ts');
const AsyncFunction = (async () => undefined).constructor;
const run = new AsyncFunction('EmbeddingTable', 'data', 'post', 'parentPort', workerData.body);
await run(EmbeddingTable, workerData.data, (value) => parentPort.postMessage(value), parentPort);
