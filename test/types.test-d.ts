/** The types that follow from the options: what a call gives, and what it does not take. Compiled, never run. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  AllCandidateSampler,
  allCandidateSampler,
  computeAccidentalHits,
  DeviceRowGradients,
  devices,
  EmbeddingTable,
  FixedUnigramSampler,
  LearnedUnigramSampler,
  learnedUnigramCandidateSampler,
  LogUniformSampler,
  logUniformCandidateSampler,
  nceLoss,
  nceLossSync,
  negativeSamplingLossSync,
  sampledLogisticLossSync,
  sampledSoftmaxLoss,
  sampledSoftmaxLossSync,
  softmaxLoss,
  softmaxLossSync,
  UniformSampler,
  uniformCandidateSampler,
  type ArithmeticArray,
  type CandidateSampler,
  type CudaDevice,
  type DType,
  type FloatArray,
  type Matrix,
  type Reduction,
  type RowGradients,
  type Sample,
  type SampledSoftmaxLossOptions,
  type SampledSoftmaxLossSyncOptions,
  type SampledValues,
  type SamplerOptions,
  type TableOptions,
} from '../lib/index.ts';
import { SampledSoftmaxLoss, type SampledSoftmaxLossOptions as SampledSoftmaxLossClassOptions } from '../lib/mindspore.ts';

const weights = new Float32Array(21);
const biases = new Float32Array(7);
const inputs = new Float32Array(6);
const options = { weights, biases, labels: [0, 1], inputs, numSampled: 3, numClasses: 7 };
declare const table: EmbeddingTable<'float32'>;
declare const wideTable: EmbeddingTable<'float64'>;

describe('loss', () => {
  it('is an array without reduction, and a number with one', () => {
    expectTypeOf(sampledSoftmaxLossSync(options).loss).toEqualTypeOf<Float32Array>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, reduction: 'none' }).loss).toEqualTypeOf<Float32Array>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, reduction: undefined }).loss).toEqualTypeOf<Float32Array>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, reduction: 'mean' }).loss).toEqualTypeOf<number>();
    expectTypeOf(softmaxLossSync({ weights, labels: [0], inputs, reduction: 'sum' }).loss).toEqualTypeOf<number>();
  });
  it('may be either where the reduction is not known', () => {
    const reduction = 'mean' as 'none' | 'mean';
    expectTypeOf(sampledSoftmaxLossSync({ ...options, reduction }).loss).toEqualTypeOf<Float32Array | number>();
  });
  it('has the dtype of the inputs', () => {
    const wide = new Float64Array(6);
    const bits = { data: new Uint16Array(6), shape: [2, 3], dtype: 'bfloat16' } as const;
    expectTypeOf(nceLoss({ ...options, inputs: wide }).then((r) => r.loss)).resolves.toEqualTypeOf<Float64Array>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, inputs: { data: wide, shape: [2, 3] } }).loss).toEqualTypeOf<Float64Array>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, inputs: bits }).loss).toEqualTypeOf<Float32Array>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, weights: new Float64Array(21) }).loss).toEqualTypeOf<Float32Array>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, inputs: table }).loss).toEqualTypeOf<Float32Array>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, inputs: wideTable }).loss).toEqualTypeOf<Float64Array>();
  });
  it('has each dtype that the inputs may have', () => {
    const shape = [2, 3] as const;
    const lossOf = <const I extends Matrix>(of: I): ArithmeticArray<I> => sampledSoftmaxLossSync({ ...options, inputs: of }).loss;
    const data = inputs as FloatArray;
    const either = sampledSoftmaxLossSync({ ...options, inputs: { data, shape }, gradients: true });
    expectTypeOf(either.loss).toEqualTypeOf<FloatArray>();
    expectTypeOf(either.gradients.inputs).toEqualTypeOf<FloatArray>();
    expectTypeOf(either.gradients.weights).toEqualTypeOf<RowGradients>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, inputs: data }).loss).toEqualTypeOf<FloatArray>();
    expectTypeOf(lossOf({ data: inputs, shape } as { data: Float32Array; shape: [2, 3] } | Float64Array)).toEqualTypeOf<FloatArray>();
    expectTypeOf(lossOf(table as EmbeddingTable<'float32' | 'float64'>)).toEqualTypeOf<FloatArray>();
    expectTypeOf(lossOf(table as EmbeddingTable<'float32'> | EmbeddingTable<'float64'>)).toEqualTypeOf<FloatArray>();
    expectTypeOf(lossOf(table as EmbeddingTable<'float32'> | EmbeddingTable<'float16'>)).toEqualTypeOf<Float32Array>();
    expectTypeOf(lossOf(inputs as Matrix)).toEqualTypeOf<FloatArray>();
    const generic = <A extends FloatArray>(own: A) => sampledSoftmaxLossSync({ ...options, inputs: { data: own, shape } }).loss;
    expectTypeOf(generic(inputs)).toEqualTypeOf<Float32Array>();
    expectTypeOf(generic(data)).toEqualTypeOf<FloatArray>();
  });
});

describe('gradients', () => {
  it('are there where they were asked for', () => {
    expectTypeOf(sampledSoftmaxLossSync(options).gradients).toEqualTypeOf<undefined>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, gradients: false }).gradients).toEqualTypeOf<undefined>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, gradients: true }).gradients.inputs).toEqualTypeOf<Float32Array>();
    const maybe = true as boolean;
    expectTypeOf(sampledSoftmaxLossSync({ ...options, gradients: maybe }).gradients?.inputs).toEqualTypeOf<Float32Array | undefined>();
  });
  it('may be absent, or of another form, where an option may be left out', () => {
    const flag = true as boolean;
    const maybeMean = sampledSoftmaxLossSync({ ...options, ...(flag ? { reduction: 'mean' as const } : {}) });
    expectTypeOf(maybeMean.loss).toEqualTypeOf<Float32Array | number>();
    const maybeGradients = sampledSoftmaxLossSync({ ...options, ...(flag ? { gradients: true as const } : {}) });
    expectTypeOf(maybeGradients.gradients?.inputs).toEqualTypeOf<Float32Array | undefined>();
    const { biases, ...unbiased } = options;
    const maybeBiases = sampledSoftmaxLossSync({ ...unbiased, gradients: true, ...(flag ? { biases } : {}) });
    expectTypeOf(maybeBiases.gradients.biases).toEqualTypeOf<RowGradients<Float32Array> | undefined>();
    const gradients: { mode?: 'sparse' | 'merged' | 'dense' } = { mode: 'dense' };
    const anyMode = sampledSoftmaxLossSync({ ...options, gradients });
    expectTypeOf(anyMode.gradients.weights).toEqualTypeOf<RowGradients<Float32Array> | Float32Array>();
  });
  it('have the form of the mode', () => {
    expectTypeOf(sampledSoftmaxLossSync({ ...options, gradients: true }).gradients.weights).toEqualTypeOf<RowGradients<Float32Array>>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, gradients: {} }).gradients.weights).toEqualTypeOf<RowGradients<Float32Array>>();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, gradients: { upstream: 2 } }).gradients.biases).toEqualTypeOf<
      RowGradients<Float32Array>
    >();
    expectTypeOf(sampledSoftmaxLossSync({ ...options, gradients: { mode: 'merged' } }).gradients.weights).toEqualTypeOf<
      RowGradients<Float32Array>
    >();
    const dense = sampledSoftmaxLossSync({ ...options, gradients: { mode: 'dense', upstream: [1, 2] } }).gradients;
    expectTypeOf(dense.weights).toEqualTypeOf<Float32Array>();
    expectTypeOf(dense.biases).toEqualTypeOf<Float32Array>();
    const mode = 'dense' as 'dense' | 'merged';
    expectTypeOf(sampledSoftmaxLossSync({ ...options, gradients: { mode } }).gradients.weights).toEqualTypeOf<
      Float32Array | RowGradients<Float32Array>
    >();
  });
  it('have an entry per shard where the argument is sharded', () => {
    const shards = [weights, weights];
    const sharded = sampledSoftmaxLossSync({ ...options, weights: shards, gradients: true }).gradients;
    expectTypeOf(sharded.weights).toEqualTypeOf<RowGradients<Float32Array>[]>();
    expectTypeOf(sharded.biases).toEqualTypeOf<RowGradients<Float32Array>>();
    const both = sampledSoftmaxLossSync({ ...options, weights: shards, biases: [biases, biases], gradients: { mode: 'dense' } }).gradients;
    expectTypeOf(both.weights).toEqualTypeOf<Float32Array[]>();
    expectTypeOf(both.biases).toEqualTypeOf<Float32Array[]>();
  });
  it('have none of biases where there are none', () => {
    const { biases: _, ...unbiased } = options;
    expectTypeOf(sampledSoftmaxLossSync({ ...unbiased, gradients: true }).gradients.biases).toEqualTypeOf<undefined>();
    expectTypeOf(sampledSoftmaxLossSync({ ...unbiased, biases: undefined, gradients: true }).gradients.biases).toEqualTypeOf<undefined>();
  });
  it('have the dtype of the inputs, and are dense for the full softmax', async () => {
    const wide = { ...options, inputs: new Float64Array(6) };
    expectTypeOf(sampledLogisticLossSync({ ...wide, gradients: true }).gradients.weights.values).toEqualTypeOf<Float64Array>();
    expectTypeOf(negativeSamplingLossSync({ ...wide, gradients: { mode: 'dense' } }).gradients.inputs).toEqualTypeOf<Float64Array>();
    const { gradients } = await softmaxLoss({ weights: [weights, weights], biases, labels: [0], inputs, gradients: true });
    expectTypeOf(gradients.weights).toEqualTypeOf<Float32Array[]>();
    expectTypeOf(gradients.biases).toEqualTypeOf<Float32Array>();
  });
  it('of a table are what the table adds', async () => {
    const { gradients } = await sampledSoftmaxLoss({ ...options, weights: table, gradients: { mode: 'merged' } });
    expectTypeOf(gradients.weights).toEqualTypeOf<RowGradients<Float32Array>>();
    expectTypeOf(table.add(gradients.weights, -0.1)).toEqualTypeOf<Promise<void>>();
  });
  it('stay on the device where they were asked to, and a table adds them', async () => {
    const kept = { mode: 'merged', onDevice: true } as const;
    const { gradients } = await sampledSoftmaxLoss({ ...options, weights: table, gradients: kept });
    expectTypeOf(gradients.weights).toEqualTypeOf<DeviceRowGradients<Float32Array>>();
    expectTypeOf(gradients.inputs).toEqualTypeOf<Float32Array>();
    expectTypeOf(table.add(gradients.weights, -0.1)).toEqualTypeOf<Promise<void>>();
    expectTypeOf(gradients.weights.toHost()).resolves.toEqualTypeOf<RowGradients<Float32Array>>();
    const wide = nceLossSync({
      ...options,
      inputs: new Float64Array(6),
      weights: [table, table],
      biases: table,
      gradients: kept,
    }).gradients;
    expectTypeOf(wide.weights).toEqualTypeOf<DeviceRowGradients<Float64Array>[]>();
    expectTypeOf(wide.biases).toEqualTypeOf<DeviceRowGradients<Float64Array>>();
    const here = sampledSoftmaxLossSync({ ...options, gradients: { mode: 'merged', onDevice: false } }).gradients;
    expectTypeOf(here.weights).toEqualTypeOf<RowGradients<Float32Array>>();
    const onDevice = true as boolean;
    const maybe = sampledSoftmaxLossSync({ ...options, weights: table, gradients: { mode: 'merged', onDevice } }).gradients;
    expectTypeOf(maybe.weights).toEqualTypeOf<DeviceRowGradients<Float32Array> | RowGradients<Float32Array>>();
    // @ts-expect-error dense gradients do not stay
    softmaxLossSync({ weights: table, labels: [0], inputs, gradients: { onDevice: true } });
    // @ts-expect-error only the losses make them
    new DeviceRowGradients({}, Symbol());
  });
});

describe('the result', () => {
  it('carries the sample, in a promise or not', () => {
    expectTypeOf(sampledSoftmaxLossSync(options).sampledValues).toEqualTypeOf<SampledValues>();
    expectTypeOf(sampledSoftmaxLoss(options)).resolves.toHaveProperty('sampledValues');
    expectTypeOf(softmaxLossSync({ weights, labels: [0], inputs })).not.toHaveProperty('sampledValues');
    const again = { ...options, sampledValues: sampledSoftmaxLossSync(options).sampledValues };
    expectTypeOf(again).toExtend<SampledSoftmaxLossOptions>();
  });
  it('is as wide as the options where their type is the general one', () => {
    const general = options as SampledSoftmaxLossSyncOptions;
    expectTypeOf(sampledSoftmaxLossSync(general).loss).toExtend<FloatArray | number>();
    expectTypeOf<undefined>().toExtend<ReturnType<typeof sampledSoftmaxLossSync<SampledSoftmaxLossSyncOptions>>['gradients']>();
  });
});

describe('options', () => {
  it('that are misspelt or missing are errors', () => {
    // @ts-expect-error labels, inputs and weights are needed
    sampledSoftmaxLossSync({ weights, numSampled: 3 });
    // @ts-expect-error no such reduction
    sampledSoftmaxLossSync({ ...options, reduction: 'max' });
    // @ts-expect-error no such mode
    sampledSoftmaxLossSync({ ...options, gradients: { mode: 'sparce' } });
    // @ts-expect-error float labels
    sampledSoftmaxLossSync({ ...options, labels: new Float32Array(2) });
    // @ts-expect-error 16-bit values say which
    sampledSoftmaxLossSync({ ...options, weights: new Uint16Array(21) });
    const half = { data: new Uint16Array(2), shape: [2], dtype: 'float16' } as const;
    // @ts-expect-error matrices alone are taken in 16 bits
    sampledSoftmaxLossSync({ ...options, gradients: { upstream: half } });
    const { sampledValues } = sampledSoftmaxLossSync(options);
    // @ts-expect-error nor are counts
    sampledSoftmaxLossSync({ ...options, sampledValues: { ...sampledValues, trueExpectedCount: half } });
    // @ts-expect-error of the sample neither
    sampledSoftmaxLossSync({ ...options, sampledValues: { ...sampledValues, sampledExpectedCount: half } });
    for (const numbers of [[1, 2], new Float32Array(2), new Float64Array(2), { data: weights as FloatArray, shape: [2] }]) {
      sampledSoftmaxLossSync({
        ...options,
        gradients: { upstream: numbers },
        sampledValues: { ...sampledValues, trueExpectedCount: numbers },
      });
    }
    // @ts-expect-error no such device
    sampledSoftmaxLossSync({ ...options, device: 'gpu' });
    // @ts-expect-error no such device
    new SampledSoftmaxLoss({ numSampled: 1, numClasses: 2, device: 'cuda:x' });
    // @ts-expect-error a sampler is an object of the package
    sampledSoftmaxLossSync({ ...options, sampler: {} });
  });
  it('that do not exist are errors', () => {
    // @ts-expect-error a name of TensorFlow's
    sampledSoftmaxLossSync({ weights, labels: [0], inputs, num_sampled: 3 });
    // @ts-expect-error no such option
    void nceLoss({ weights, labels: [0], inputs, numSampled: 3, removeHits: true });
    // @ts-expect-error the sampled logistic loss always leaves hits out
    sampledLogisticLossSync({ weights, labels: [0], inputs, numSampled: 3, removeAccidentalHits: false });
    // @ts-expect-error a signal can only be heard in the Promise form
    sampledSoftmaxLossSync({ weights, labels: [0], inputs, numSampled: 3, signal: new AbortController().signal });
    // @ts-expect-error the full softmax draws nothing
    softmaxLossSync({ weights, labels: [0], inputs, numSampled: 3 });
    // @ts-expect-error nor has it sparse gradients
    softmaxLossSync({ weights, labels: [0], inputs, gradients: { mode: 'sparse' } });
  });
  it('of tables and hits are checked too', () => {
    // @ts-expect-error no such dtype
    EmbeddingTable.createSync({ rows: 1, dim: 1, dtype: 'int8' });
    // @ts-expect-error no such option
    EmbeddingTable.createSync({ rows: 1, dim: 1, columns: 3 });
    // @ts-expect-error no such device
    EmbeddingTable.createSync({ rows: 1, dim: 1, device: 'gpu' });
    // @ts-expect-error no such option
    computeAccidentalHits({ trueClasses: [1], sampledCandidates: [1], num_true: 1 });
  });
});

describe('samplers', () => {
  const draw = { trueClasses: [1], numSampled: 3 };
  it('give 64-bit ids for a bigint range', () => {
    expectTypeOf(
      new UniformSampler({ rangeMax: 10, numSampled: 3 }).sample({ trueClasses: [1] }).sampledCandidates,
    ).toEqualTypeOf<Int32Array>();
    expectTypeOf(
      new LogUniformSampler({ rangeMax: 10n, numSampled: 3 }).sample({ trueClasses: [1] }).sampledCandidates,
    ).toEqualTypeOf<BigInt64Array>();
    expectTypeOf(uniformCandidateSampler({ ...draw, rangeMax: 10n }).sampledCandidates).toEqualTypeOf<BigInt64Array>();
    expectTypeOf(logUniformCandidateSampler({ ...draw, rangeMax: 10 }).sampledCandidates).toEqualTypeOf<Int32Array>();
    expectTypeOf(allCandidateSampler({ ...draw, numSampled: 3 }).sampledCandidates).toEqualTypeOf<Int32Array>();
    expectTypeOf(new UniformSampler({ rangeMax: 10n, numSampled: 3 }).rangeMax).toExtend<bigint>();
  });
  it('of unigrams have no bigint range', () => {
    // @ts-expect-error only a number will do
    new LearnedUnigramSampler({ rangeMax: 10n, numSampled: 3 });
    // @ts-expect-error only a number will do
    new FixedUnigramSampler({ rangeMax: 10n, numSampled: 3, unigrams: [1] });
    // @ts-expect-error only a number will do
    learnedUnigramCandidateSampler({ ...draw, rangeMax: 10n });
  });
  it('take no other options', () => {
    // @ts-expect-error all classes are the range
    new AllCandidateSampler({ numSampled: 3, rangeMax: 3 });
    // @ts-expect-error unigrams are the fixed sampler's
    new UniformSampler({ rangeMax: 10, numSampled: 3, unigrams: [1] });
    // @ts-expect-error a pair of bigints or a number
    new UniformSampler({ rangeMax: 10, numSampled: 3, seed: 5n });
  });
  it('have a type that does not tell their range', () => {
    const samplers = { narrow: new UniformSampler({ rangeMax: 10, numSampled: 2 }) };
    samplers.narrow = new UniformSampler({ rangeMax: 20, numSampled: 2 });
    expectTypeOf(samplers.narrow).toEqualTypeOf<UniformSampler>();
    expectTypeOf(new LogUniformSampler({ rangeMax: 10n, numSampled: 2 })).toEqualTypeOf<LogUniformSampler<bigint>>();
    expectTypeOf(uniformCandidateSampler({ ...draw, rangeMax: 10 })).toEqualTypeOf<Sample>();
    const rangeMax = 10 as number | bigint;
    expectTypeOf(new UniformSampler({ rangeMax, numSampled: 2 })).toEqualTypeOf<UniformSampler<number | bigint>>();
    expectTypeOf(logUniformCandidateSampler({ ...draw, rangeMax })).toEqualTypeOf<Sample<number | bigint>>();
    // A range of a type that is not known yet.
    expectTypeOf(<R extends number | bigint>(of: SamplerOptions<R>) => new UniformSampler<R>(of)).returns.toExtend<CandidateSampler>();
    // @ts-expect-error not what the type says
    new UniformSampler<bigint>({ rangeMax: 10, numSampled: 2 });
  });
  it('are all candidate samplers, which a loss takes', () => {
    expectTypeOf<UniformSampler>().toExtend<CandidateSampler>();
    expectTypeOf<LogUniformSampler<bigint>>().toExtend<CandidateSampler>();
    expectTypeOf({ ...options, sampler: new UniformSampler({ rangeMax: 7n, numSampled: 3 }) }).toExtend<SampledSoftmaxLossOptions>();
  });
});

describe('tables', () => {
  it('read float64 as float64, all else as float32, and view 16-bit values as bits', async () => {
    expectTypeOf(table.readSync([1])).toEqualTypeOf<Float32Array>();
    expectTypeOf(wideTable.read([1])).resolves.toEqualTypeOf<Float64Array>();
    const half = await EmbeddingTable.create({ rows: 1, dim: 1, dtype: 'bfloat16' });
    expectTypeOf(half.readSync([0])).toEqualTypeOf<Float32Array>();
    expectTypeOf(half.viewSync(0, 1)).toEqualTypeOf<Uint16Array>();
    expectTypeOf(EmbeddingTable.createSync({ rows: 1, dim: 1 }).viewSync(0, 1)).toEqualTypeOf<Float32Array>();
  });
  it('are of another dtype than float32 only where the options say so', () => {
    const size = { rows: 1, dim: 1 };
    // @ts-expect-error it would be float32
    EmbeddingTable.createSync<'float64'>(size);
    const unsaid: TableOptions<'float64'> = size;
    // @ts-expect-error it would be float32
    void EmbeddingTable.create(unsaid);
    // @ts-expect-error it would be float32
    const wide: EmbeddingTable<'float64'> = EmbeddingTable.createSync(size);
    expectTypeOf(wide).toEqualTypeOf<EmbeddingTable<'float64'>>();
    expectTypeOf(EmbeddingTable.createSync<'float64'>({ ...size, dtype: 'float64' })).toEqualTypeOf<EmbeddingTable<'float64'>>();
    expectTypeOf(EmbeddingTable.createSync(size)).toEqualTypeOf<EmbeddingTable<'float32'>>();
    expectTypeOf(EmbeddingTable.createSync<'float32' | 'float64'>(unsaid)).toEqualTypeOf<EmbeddingTable<'float32' | 'float64'>>();
    expectTypeOf(EmbeddingTable.create(size as TableOptions)).resolves.toEqualTypeOf<EmbeddingTable>();
    const dtype = 'float64' as 'float16' | 'float64';
    expectTypeOf(EmbeddingTable.createSync({ ...size, dtype })).toEqualTypeOf<EmbeddingTable<'float16' | 'float64'>>();
    // A dtype that is not known yet.
    expectTypeOf(<D extends DType>(of: D) => EmbeddingTable.createSync({ ...size, dtype: of })).returns.toExtend<EmbeddingTable>();
  });
});

describe("MindSpore's class", () => {
  it('knows its own options', () => {
    const loss = new SampledSoftmaxLoss({ numSampled: 3, numClasses: 7, reduction: 'mean', numerics: 'mindspore' });
    expectTypeOf(loss.forwardSync({ weights, labels: [0], inputs, gradients: true }).gradients.inputs).toEqualTypeOf<Float32Array>();
    expectTypeOf(loss.forwardSync({ weights, labels: [0], inputs }).gradients).toEqualTypeOf<undefined>();
    // @ts-expect-error numTrue and the like belong to the constructor
    loss.forwardSync({ weights, labels: [0], inputs, numTrue: 1 });
    // @ts-expect-error no such option
    new SampledSoftmaxLoss({ numSampled: 3, numClasses: 7, unique: true });
  });
  it('gives a loss of the form of its reduction', () => {
    const size = { numSampled: 3, numClasses: 7 };
    const call = { weights, labels: [0], inputs };
    expectTypeOf(new SampledSoftmaxLoss(size).forwardSync(call).loss).toEqualTypeOf<Float32Array>();
    expectTypeOf(new SampledSoftmaxLoss({ ...size, reduction: 'none' }).forwardSync(call).loss).toEqualTypeOf<Float32Array>();
    const sum = new SampledSoftmaxLoss({ ...size, reduction: 'sum' });
    expectTypeOf(sum.forward(call).then((r) => r.loss)).resolves.toEqualTypeOf<number>();
    expectTypeOf(sum).not.toExtend<SampledSoftmaxLoss>();
    const reduction = 'mean' as 'none' | 'mean';
    const either = new SampledSoftmaxLoss({ ...size, reduction });
    expectTypeOf(either.forwardSync(call).loss).toEqualTypeOf<Float32Array | number>();
    expectTypeOf(either).not.toExtend<SampledSoftmaxLoss>();
    expectTypeOf(sum).toExtend<SampledSoftmaxLoss<Reduction>>();
    expectTypeOf(new SampledSoftmaxLoss(size as SampledSoftmaxLossClassOptions)).toEqualTypeOf<SampledSoftmaxLoss<Reduction>>();
    const flag = true as boolean;
    // @ts-expect-error it would be 'none' where the option is left out
    new SampledSoftmaxLoss({ ...size, ...(flag ? { reduction: 'mean' as const } : {}) });
    // @ts-expect-error it would be 'none'
    new SampledSoftmaxLoss<'mean'>(size);
  });
});

describe('devices', () => {
  it('are told apart by their type, and may be passed on by name', () => {
    for (const device of devices()) {
      if (device.type === 'cuda') {
        expectTypeOf(device).toEqualTypeOf<CudaDevice>();
        expectTypeOf(device.memory).toEqualTypeOf<number>();
      } else {
        expectTypeOf(device.name).toEqualTypeOf<'cpu'>();
        // @ts-expect-error of CUDA devices alone
        expect(device.memory).toBeUndefined();
      }
      sampledSoftmaxLossSync({ ...options, device: device.name });
      new SampledSoftmaxLoss({ numSampled: 1, numClasses: 2, device: device.name });
    }
  });
});
