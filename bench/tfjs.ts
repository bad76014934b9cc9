/**
 * Run by the bench in a process of its own: the step in TensorFlow.js, on its plain JavaScript or its WebAssembly backend.
 * The gradients are written out with its ops, which is quicker than its tape; the draw, which it does not have, is
 * JavaScript. Prints one line of JSON.
 */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { makeProblem, randomNumbers } from './problem.ts';
import { timeStep } from './timing.ts';
import { readWorkload } from './workloads.ts';

/** The part of TensorFlow.js that is used here; its packages are not among the dependencies. */
interface Tensor {
  dataSync(): Float32Array;
  dispose(): void;
}
type Shape = readonly number[];
interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy<T>(compute: () => T): T;
  tensor(values: Float32Array | Int32Array, shape: Shape, dtype: 'float32' | 'int32'): Tensor;
  scalar(value: number): Tensor;
  reshape(a: Tensor, shape: Shape): Tensor;
  gather(a: Tensor, indices: Tensor): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor;
  sum(a: Tensor, axis?: number): Tensor;
  max(a: Tensor, axis: number): Tensor;
  mean(a: Tensor): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  maximum(a: Tensor, b: Tensor): Tensor;
  exp(a: Tensor): Tensor;
  log(a: Tensor): Tensor;
  equal(a: Tensor, b: Tensor): Tensor;
  where(condition: Tensor, a: Tensor, b: Tensor): Tensor;
}

const { workload, flags } = readWorkload('dir', 'backend', 'seconds');
const { batch, dim, numSampled, numClasses } = workload;
const load = createRequire(join(resolve(flags.dir), 'package.json'));
const tf = load('@tensorflow/tfjs-core') as TensorFlow;
load(`@tensorflow/tfjs-backend-${flags.backend}`);
await tf.setBackend(flags.backend);
await tf.ready();

const problem = makeProblem(workload);
const random = randomNumbers(7);
const weights = tf.tensor(problem.weights, [numClasses, dim], 'float32');
const biases = tf.tensor(problem.biases, [numClasses], 'float32');
const inputs = tf.tensor(problem.inputs, [batch, dim], 'float32');
const labels = tf.tensor(problem.labels, [batch], 'int32');
const masked = tf.scalar(-1e37);
const one = tf.scalar(1);
const batchSize = tf.scalar(batch);

console.log(JSON.stringify({ ms: await timeStep(step, Number(flags.seconds)) }));

interface Draw {
  readonly sampled: Int32Array;
  readonly logTrueCount: Float32Array;
  readonly logSampledCount: Float32Array;
}

/** Distinct log-uniform classes by rejection, and the logs of the expected counts. */
function draw(): Draw {
  const logRange = Math.log(numClasses + 1);
  const distinct = new Set<number>();
  let tries = 0;
  for (; distinct.size < numSampled; tries++) distinct.add(Math.min(numClasses - 1, Math.floor(Math.expm1(random() * logRange))));
  const logCount = (id: number): number => {
    const probability = Math.log1p(1 / (id + 1)) / logRange;
    return Math.log(-Math.expm1(tries * Math.log1p(-probability)));
  };
  const sampled = Int32Array.from(distinct);
  return { sampled, logTrueCount: Float32Array.from(problem.labels, logCount), logSampledCount: Float32Array.from(sampled, logCount) };
}

function step(): void {
  const { sampled, logTrueCount, logSampledCount } = draw();
  const results = tf.tidy(() => {
    const ids = tf.tensor(sampled, [numSampled], 'int32');
    const trueRows = tf.gather(weights, labels);
    const sampledRows = tf.gather(weights, ids);
    const trueAdjust = tf.sub(tf.gather(biases, labels), tf.tensor(logTrueCount, [batch], 'float32'));
    const sampledAdjust = tf.sub(tf.gather(biases, ids), tf.tensor(logSampledCount, [numSampled], 'float32'));
    const trueLogits = tf.add(tf.sum(tf.mul(inputs, trueRows), 1), trueAdjust);
    const hits = tf.equal(tf.reshape(labels, [batch, 1]), tf.reshape(ids, [1, numSampled]));
    const logits = tf.where(hits, masked, tf.add(tf.matMul(inputs, sampledRows, false, true), sampledAdjust));

    const highest = tf.maximum(tf.max(logits, 1), trueLogits);
    const exponentials = tf.exp(tf.sub(logits, tf.reshape(highest, [batch, 1])));
    const trueExponential = tf.exp(tf.sub(trueLogits, highest));
    const total = tf.add(tf.sum(exponentials, 1), trueExponential);
    const loss = tf.mean(tf.sub(tf.add(tf.log(total), highest), trueLogits));

    const scale = tf.mul(total, batchSize);
    const ofSampled = tf.div(exponentials, tf.reshape(scale, [batch, 1]));
    const ofTrue = tf.sub(tf.div(trueExponential, scale), tf.div(one, batchSize));
    const ofTrueColumn = tf.reshape(ofTrue, [batch, 1]);
    return {
      loss,
      inputs: tf.add(tf.matMul(ofSampled, sampledRows, false, false), tf.mul(ofTrueColumn, trueRows)),
      trueRows: tf.mul(ofTrueColumn, inputs),
      sampledRows: tf.matMul(ofSampled, inputs, true, false),
      trueBiases: ofTrue,
      sampledBiases: tf.sum(ofSampled, 0),
    };
  });
  const [loss] = results.loss.dataSync();
  if (!Number.isFinite(loss)) throw new Error(`TensorFlow.js computed the loss ${loss}`);
  for (const tensor of Object.values(results)) tensor.dispose();
}
