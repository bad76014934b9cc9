/** Sampled softmax for Node.js: the public names and nothing else. */
export { computeAccidentalHits, type AccidentalHits, type AccidentalHitsOptions } from './accidental-hits.ts';
export type { DType, Float16ArrayLike, Ids, Numbers, Values } from './arrays.ts';
export { setAddonPath } from './binding.ts';
export { DeviceRowGradients } from './device-row-gradients.ts';
export { devices, releaseMemory, type CpuDevice, type CudaDevice, type Device, type DeviceName } from './devices.ts';
export { EmbeddingTable } from './embedding-table.ts';
export type * from './embedding-table.ts';
export { SampledSoftmaxError, SampledSoftmaxRangeError, SampledSoftmaxTypeError, type ErrorCode } from './errors.ts';
export type { FloatArray, GradientMode, GradientOptions, GradientOut, RowGradients, RowGradientsOut } from './gradients.ts';
export {
  nceLoss,
  nceLossSync,
  sampledLogisticLoss,
  sampledLogisticLossSync,
  type NceLossOptions,
  type NceLossSyncOptions,
  type SampledLogisticLossOptions,
  type SampledLogisticLossSyncOptions,
} from './losses/nce.ts';
export {
  negativeSamplingLoss,
  negativeSamplingLossSync,
  type NegativeSamplingLossOptions,
  type NegativeSamplingLossSyncOptions,
} from './losses/negative-sampling.ts';
export {
  sampledSoftmaxLoss,
  sampledSoftmaxLossSync,
  type SampledSoftmaxLossOptions,
  type SampledSoftmaxLossSyncOptions,
} from './losses/sampled-softmax.ts';
export {
  softmaxLoss,
  softmaxLossSync,
  type SoftmaxLossOptions,
  type DenseGradientOptions,
  type SoftmaxLossSyncOptions,
} from './losses/softmax.ts';
export type {
  ArithmeticArray,
  AsyncOptions,
  Gradients,
  HitOptions,
  LossOptions,
  LossResult,
  Only,
  Precision,
  SampledLossOptions,
  SampledValues,
  SampledValuesInput,
  SoftmaxLossResult,
} from './losses/types.ts';
export type { Matrix, Parameter, PartitionStrategy } from './parameters.ts';
export type { Reduction } from './reduction.ts';
export { info, setThreads, type Info } from './runtime.ts';
export { AllCandidateSampler, type AllCandidateSamplerOptions } from './samplers/all-candidate.ts';
export { FixedUnigramSampler, type FixedUnigramSamplerOptions } from './samplers/fixed-unigram.ts';
export {
  allCandidateSampler,
  fixedUnigramCandidateSampler,
  learnedUnigramCandidateSampler,
  logUniformCandidateSampler,
  uniformCandidateSampler,
} from './samplers/functions.ts';
export { LearnedUnigramSampler } from './samplers/learned-unigram.ts';
export { LogUniformSampler } from './samplers/log-uniform.ts';
export {
  CandidateSampler,
  type IdsOf,
  type Sample,
  type SampleOptions,
  type SamplerOptions,
  type WidenedOptions,
} from './samplers/sampler.ts';
export type { SamplerSeed } from './samplers/seed.ts';
export type { SamplerState } from './samplers/state.ts';
export { UniformSampler } from './samplers/uniform.ts';
