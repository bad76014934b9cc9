/** Losses over tables in the memory of a device: as over the same values elsewhere, and gradients that stay there. */
import { describe, expect, it } from 'vitest';
import {
  DeviceRowGradients,
  EmbeddingTable,
  sampledSoftmaxLoss,
  sampledSoftmaxLossSync,
  softmaxLossSync,
  UniformSampler,
  type DType,
  type FloatArray,
} from '../lib/index.ts';
import { expectClose, randoms, split } from './arrays.ts';
import { both, hasDevice } from './device-tables.ts';
import { larger, randomProblem, sampledLosses, type Sizes } from './problems.ts';

const onDevice = (data: FloatArray, width: number, dtype: DType): EmbeddingTable =>
  EmbeddingTable.fromValuesSync({ data, shape: [data.length / width, width] }, { dtype, device: 'cuda' });
const onHost = (data: FloatArray, width: number, dtype: DType): EmbeddingTable =>
  EmbeddingTable.fromValuesSync({ data, shape: [data.length / width, width] }, { dtype, device: 'cpu' });

describe.skipIf(!hasDevice)('a loss over tables on a device', () => {
  const few: Sizes = { batch: 4, dim: 5, numClasses: 9, numSampled: 12, numTrue: 2 };

  it('is that over the same rows of the host, whatever the dtypes are', () => {
    for (const sizes of [few, { ...larger, batch: 5 }]) {
      for (const Arithmetic of [Float32Array, Float64Array]) {
        const problem = randomProblem<Float32Array | Float64Array>(sizes, 3, Arithmetic);
        for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
          const where = (make: typeof onHost) => ({
            weights: make(problem.weights, sizes.dim, dtype),
            biases: make(problem.biases, 1, dtype),
            device: 'cuda' as const,
          });
          const [host, device] = [where(onHost), where(onDevice)];
          for (const mode of ['sparse', 'merged'] as const) {
            const call = { ...problem, gradients: { mode } };
            expect(sampledSoftmaxLossSync({ ...call, ...device })).toEqual(sampledSoftmaxLossSync({ ...call, ...host }));
          }
          const { sampledValues: _, ...full } = { ...problem, gradients: true as const };
          expect(softmaxLossSync({ ...full, ...device })).toEqual(softmaxLossSync({ ...full, ...host }));
        }
      }
    }
  });

  it('reads shards and inputs wherever they are', () => {
    const { dim, batch } = few;
    const problem = randomProblem(few, 8, Float32Array);
    for (const partitionStrategy of ['mod', 'div'] as const) {
      const parts = { weights: split(problem.weights, 3, partitionStrategy, dim), biases: split(problem.biases, 2, partitionStrategy, 1) };
      const call = { ...problem, partitionStrategy, gradients: { mode: 'merged' }, device: 'cuda' } as const;
      const want = sampledSoftmaxLossSync({ ...call, ...parts });
      const [first, second, third] = parts.weights as [Float32Array, Float32Array, Float32Array];
      const weights = [onDevice(first, dim, 'float32'), second, onDevice(third, dim, 'float64')];
      const biases = [onHost(parts.biases[0] as Float32Array, 1, 'float32'), onDevice(parts.biases[1] as Float32Array, 1, 'float32')];
      expect(sampledSoftmaxLossSync({ ...call, weights, biases })).toEqual(want);
      for (const dtype of ['float32', 'bfloat16'] as const) {
        const rounded = onHost(problem.inputs, dim, dtype).readSync(Int32Array.from({ length: batch }, (_, b) => b));
        const inputs = onDevice(problem.inputs, dim, dtype);
        expect(sampledSoftmaxLossSync({ ...call, weights, biases, inputs })).toEqual(
          sampledSoftmaxLossSync({ ...call, ...parts, inputs: rounded }),
        );
        const { sampledValues: _, gradients: __, ...full } = call;
        expect(softmaxLossSync({ ...full, weights, biases, inputs }).loss).toEqual(
          softmaxLossSync({ ...full, ...parts, inputs: rounded }).loss,
        );
      }
    }
  });

  it('trains as the CPU does', async () => {
    const [numClasses, dim, batch] = [400, 24, 32];
    const start = { weights: randoms(numClasses * dim, 1, 0.3), biases: randoms(numClasses, 2, 0.3) };
    const [hostWeights, weights] = both(start.weights, [numClasses, dim], 'float32');
    const [hostBiases, biases] = both(start.biases, [numClasses, 1], 'float32');
    const sampler = () => new UniformSampler({ rangeMax: numClasses, numSampled: 60, seed: 5 });
    const [hostSampler, deviceSampler] = [sampler(), sampler()];
    for (let step = 0; step < 6; step++) {
      const call = {
        labels: Int32Array.from({ length: batch }, (_, b) => (7 * b + step) % numClasses),
        inputs: randoms(batch * dim, step + 10),
        reduction: 'mean',
      } as const;
      const name = (['sampledSoftmaxLoss', 'nceLoss', 'negativeSamplingLoss'] as const)[step % 3] as 'nceLoss';
      const { later, now } = sampledLosses[name];
      const cpu = now({
        ...call,
        weights: hostWeights,
        biases: hostBiases,
        sampler: hostSampler,
        device: 'cpu',
        gradients: { mode: 'merged' },
      });
      hostWeights.addSync(cpu.gradients.weights, -0.5);
      hostBiases.addSync(cpu.gradients.biases, -0.5);
      const kept = await later({ ...call, weights, biases, sampler: deviceSampler, gradients: { mode: 'merged', onDevice: true } });
      expect(kept.loss).toBeCloseTo(cpu.loss, 5);
      expectClose(kept.gradients.inputs, cpu.gradients.inputs, 4e-6, 'inputs');
      await Promise.all([weights.add(kept.gradients.weights, -0.5), biases.add(kept.gradients.biases, -0.5)]);
      kept.gradients.weights.dispose();
      kept.gradients.biases.dispose();
    }
    expectClose(weights.viewSync(0, numClasses), hostWeights.viewSync(0, numClasses), 4e-6, 'weights');
    expectClose(biases.viewSync(0, numClasses), hostBiases.viewSync(0, numClasses), 4e-6, 'biases');
    // Something was learnt.
    expect(Math.max(...weights.viewSync(0, numClasses).map((x, i) => Math.abs(x - (start.weights[i] as number))))).toBeGreaterThan(0.01);
  });
});

describe.skipIf(!hasDevice)('gradients that stay on the device', () => {
  const problem = randomProblem({ batch: 6, dim: 7, numClasses: 11, numSampled: 8, numTrue: 2 }, 4, Float32Array);
  const biases = () => onDevice(problem.biases, 1, 'float32');
  const merged = { mode: 'merged' } as const;
  const kept = { mode: 'merged', onDevice: true } as const;
  const code = (code: string, message: string): unknown =>
    expect.objectContaining({ code, message: expect.stringContaining(message) as string });

  it('are those that come back without it', async () => {
    const call = { ...problem, weights: onDevice(problem.weights, 7, 'float32'), biases: biases() };
    const want = sampledSoftmaxLossSync({ ...call, gradients: merged });
    const got = await sampledSoftmaxLoss({ ...call, gradients: kept });
    expect([got.loss, got.gradients.inputs]).toEqual([want.loss, want.gradients.inputs]);
    for (const name of ['weights', 'biases'] as const) {
      const rows = got.gradients[name];
      expect(rows).toBeInstanceOf(DeviceRowGradients);
      expect([rows.device, rows.count, rows.denseShape]).toEqual(['cuda:0', want.gradients[name].count, want.gradients[name].denseShape]);
      expect(await rows.toHost()).toEqual(want.gradients[name]);
      expect(rows.toHostSync()).toEqual(want.gradients[name]);
    }
    const [a, b] = [0, 1].map(() => onDevice(problem.weights, 7, 'bfloat16')) as [EmbeddingTable, EmbeddingTable];
    a.addSync(want.gradients.weights, -0.3);
    await b.add(got.gradients.weights, -0.3);
    expect(b.viewSync(0, 11)).toEqual(a.viewSync(0, 11));
  });

  it('come shard by shard, and in float64', () => {
    const weights = split(problem.weights, 2, 'mod', 7).map((part) => onDevice(part, 7, 'float64'));
    const call = { ...problem, inputs: Float64Array.from(problem.inputs), weights, biases: [biases()] };
    const want = sampledSoftmaxLossSync({ ...call, gradients: merged }).gradients;
    const got = sampledSoftmaxLossSync({ ...call, gradients: kept }).gradients;
    expect(got.weights.map((part) => part.toHostSync())).toEqual(want.weights);
    expect(got.biases.map((part) => part.toHostSync())).toEqual(want.biases);
    got.weights[0]?.dispose();
    got.weights[0]?.dispose();
    expect(got.weights[1]?.toHostSync()).toEqual(want.weights[1]);
    weights[1]?.addSync(got.weights[1] as DeviceRowGradients);
    expect(() => weights[0]?.addSync(got.weights[0] as DeviceRowGradients)).toThrow(
      code('ERR_DISPOSED', 'rowGradients: they have been disposed'),
    );
    expect(() => weights[1]?.addSync(got.weights[1] as DeviceRowGradients, '1' as never)).toThrow(code('ERR_INVALID_ARG_TYPE', 'scale'));
  });

  it('are zero without rows', () => {
    const weights = onDevice(problem.weights, 7, 'float32');
    const empty = { weights, labels: [], inputs: new Float32Array(0), numSampled: 3, seed: 1, gradients: kept };
    const { indices, values, count } = sampledSoftmaxLossSync(empty).gradients.weights.toHostSync();
    expect([indices.length, count]).toEqual([3, 3]);
    expect(values).toEqual(new Float32Array(21));
  });

  it('are used to the end by calls that were made before they were disposed', async () => {
    using weights = onDevice(problem.weights, 7, 'float32');
    const before = weights.viewSync(0, 11) as Float32Array;
    const { gradients } = sampledSoftmaxLossSync({ ...problem, weights, biases: biases(), gradients: kept });
    const host = gradients.weights.toHostSync();
    const adds = [weights.add(gradients.weights, 1), weights.add(gradients.weights, -1), weights.add(gradients.weights, 2)];
    const copy = gradients.weights.toHost();
    gradients.weights.dispose();
    await Promise.all(adds);
    expect(await copy).toEqual(host);
    const want = onDevice(before, 7, 'float32');
    for (const scale of [1, -1, 2]) want.addSync(host, scale);
    expect(weights.viewSync(0, 11)).toEqual(want.viewSync(0, 11));
    await expect(gradients.weights.toHost()).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    gradients.biases[Symbol.dispose]();
    expect(() => gradients.biases.toHostSync()).toThrow('disposed');
  });

  it('are of tables on a device, merged, and in no array of the caller', () => {
    const table = onDevice(problem.weights, 7, 'float32');
    const refuse = (options: object, message: string): void =>
      expect(() => sampledSoftmaxLossSync({ ...problem, weights: table, biases: biases(), ...options } as never)).toThrow(
        code('ERR_INVALID_ARG_VALUE', message),
      );
    refuse({ weights: problem.weights, gradients: kept }, 'gradients.onDevice: weights is no table');
    refuse({ biases: onHost(problem.biases, 1, 'float32'), gradients: kept }, "gradients.onDevice: biases is a table in the host's memory");
    refuse({ gradients: { onDevice: true } }, "only gradients of mode 'merged' stay on a device, got 'sparse'");
    refuse({ gradients: { mode: 'dense', onDevice: true } }, "got 'dense'");
    refuse({ gradients: { ...kept, out: { biases: {} } } }, 'gradients.out.biases: gradients that stay on the device');
    expect(() => sampledSoftmaxLossSync({ ...problem, weights: table, gradients: { ...kept, onDevice: 1 } } as never)).toThrow(
      code('ERR_INVALID_ARG_TYPE', 'gradients.onDevice: expected true or false, got 1'),
    );
    const other = EmbeddingTable.createSync({ rows: 12, dim: 7, device: 'cuda' });
    const { gradients } = sampledSoftmaxLossSync({ ...problem, weights: table, biases: biases(), gradients: kept });
    expect(() => other.addSync(gradients.weights)).toThrow(code('ERR_SHAPE_MISMATCH', 'the table is [12, 7], got [11, 7]'));
    for (const wrong of [undefined, {}, { indices: new Int32Array(1) }]) {
      expect(() => void Reflect.construct(DeviceRowGradients, [wrong])).toThrow('the losses make them');
    }
  });
});
