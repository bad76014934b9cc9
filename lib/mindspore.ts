/**
 * MindSpore's `nn.SampledSoftmaxLoss`, as MindSpore users know it: uniform sampling, batch-wide avoidance of true
 * classes instead of masking, `seed: 0` for a random one. Where its documentation and its code differ (the reduction),
 * this class does what the documentation says.
 */
import { checkBoolean, checkChoice, checkInteger, checkOptions } from './checks.ts';
import { chooseDevice, type DeviceName } from './devices.ts';
import { makeError, show } from './errors.ts';
import type { GradientOptions } from './gradients.ts';
import { lengthOf, type Ids, type Numbers } from './arrays.ts';
import { batchOf } from './losses/prepare.ts';
import { sampledLoss, sampledLossSync, type AnySampledOptions, type AnySampledResult, type SampledLossKind } from './losses/sampled.ts';
import type { ArithmeticArray, AsyncOptions, GradientsResult, LossValue, Only, PropertyOf, SampledValuesInput } from './losses/types.ts';
import type { Matrix, Parameter } from './parameters.ts';
import { reductions, type Reduction } from './reduction.ts';
import { MindSporeUniformSampler } from './samplers/mindspore-uniform.ts';

/** Options of {@link SampledSoftmaxLoss}: MindSpore's constructor arguments in camelCase, with MindSpore's defaults. */
export interface SampledSoftmaxLossOptions<R extends Reduction = Reduction> {
  /** Classes to sample per call, at most `numClasses`. */
  readonly numSampled: number;
  /** Number of classes. */
  readonly numClasses: number;
  /** True classes per row. Default 1. */
  readonly numTrue?: number;
  /** A fixed sample for the life of the object: three arrays, or an object with their names. Default: drawn anew for every call. */
  readonly sampledValues?: SampledValuesInput | readonly [Ids, Numbers, Numbers] | null;
  /** Draw no class that is a label of **any** row of the batch (where there is room). Without effect on given samples. Default true. */
  readonly removeAccidentalHits?: boolean;
  /** Seed of the uniform sampler; 0 is a random one. Default 0. */
  readonly seed?: number;
  /** Default `'none'`. MindSpore accepts the option and ignores it; here it reduces. */
  readonly reduction?: R;
  /**
   * `'stable'`: the exact log-softmax. `'mindspore'`: `-sum(y * log(p + 1e-20))` as MindSpore computes it, which
   * saturates at 46.05 with a vanishing gradient. Default `'stable'`.
   */
  readonly numerics?: 'stable' | 'mindspore';
  /** Where the object computes, as for the other losses of the package. Default `'auto'`. */
  readonly device?: DeviceName;
}

/** {@link SampledSoftmaxLossOptions} that say their reduction, unless none is among those that `R` allows. */
export type ConstructorOptions<R extends Reduction> = SampledSoftmaxLossOptions<R> &
  ('none' extends R ? unknown : { readonly reduction: Reduction });

/** Arguments of {@link SampledSoftmaxLoss.forwardSync}. */
export interface ForwardSyncOptions {
  /** `[numClasses, dim]` */
  readonly weights: Parameter;
  /** `[numClasses]`; may be left out. */
  readonly biases?: Parameter | undefined;
  /** `[batch]` or `[batch, numTrue]`; of any rank, read as rows of `numTrue`. */
  readonly labels: Ids;
  /** `[batch, dim]` */
  readonly inputs: Matrix;
  /** As for the other losses of the package. Default: none. */
  readonly gradients?: boolean | GradientOptions | undefined;
}

/** Arguments of {@link SampledSoftmaxLoss.forward}. */
export interface ForwardOptions extends ForwardSyncOptions, AsyncOptions {}

// Without `out`, here and in the class, a loss that may be a number would pass for an array: TypeScript compares LossValue both ways.
/** What a forward call gives. */
export interface ForwardResult<O extends ForwardSyncOptions, out R extends Reduction = Reduction> {
  /** `[batch]`, or a number where the reduction is `'mean'` or `'sum'`. */
  readonly loss: LossValue<R, ArithmeticArray<O['inputs']>>;
  /** The sample that was used. */
  readonly sampledValues: AnySampledResult['sampledValues'];
  readonly gradients: GradientsResult<O, PropertyOf<O, 'gradients'>, false>;
}

const constructorOptions = [
  'numSampled',
  'numClasses',
  'numTrue',
  'sampledValues',
  'removeAccidentalHits',
  'seed',
  'reduction',
  'numerics',
  'device',
];

const where = 'SampledSoftmaxLoss';

/**
 * Sampled softmax with MindSpore's defaults and semantics.
 *
 * @see https://www.mindspore.cn/docs/en/r2.8.0/api_python/nn/mindspore.nn.SampledSoftmaxLoss.html
 */
export class SampledSoftmaxLoss<out R extends Reduction = 'none'> {
  readonly #options: { numSampled: number; numClasses: number; numTrue: number; reduction: Reduction; device: DeviceName };
  readonly #kind: SampledLossKind;
  readonly #sampledValues: SampledValuesInput | undefined;
  readonly #sampler: MindSporeUniformSampler | undefined;

  /**
   * @throws SampledSoftmaxTypeError where MindSpore raises TypeError
   * @throws SampledSoftmaxRangeError where MindSpore raises ValueError
   * @throws SampledSoftmaxError `ERR_DEVICE_UNAVAILABLE`
   */
  constructor(options: ConstructorOptions<R>) {
    checkOptions(where, options, constructorOptions);
    const numClasses = checkInteger(`${where}: numClasses`, options.numClasses, 1, 2 ** 31 - 1);
    const numSampled = checkInteger(`${where}: numSampled`, options.numSampled, 1);
    const numTrue = checkInteger(`${where}: numTrue`, options.numTrue ?? 1, 1);
    const seed = checkInteger(`${where}: seed`, options.seed ?? 0, 0);
    const reduction = checkChoice(`${where}: reduction`, options.reduction ?? 'none', reductions);
    const removeAccidentalHits = checkBoolean(`${where}: removeAccidentalHits`, options.removeAccidentalHits ?? true);
    const numerics = checkChoice(`${where}: numerics`, options.numerics ?? 'stable', ['stable', 'mindspore']);
    const atMostClasses = (name: string, value: number): void => {
      if (value > numClasses) {
        throw makeError('ERR_OUT_OF_RANGE', `${where}: ${name} is ${value}, more than numClasses, which is ${numClasses}`);
      }
    };
    atMostClasses('numSampled', numSampled);
    atMostClasses('numTrue', numTrue);
    const device = options.device ?? 'auto';
    chooseDevice(`${where}: device`, device);
    this.#options = { numSampled, numClasses, numTrue, reduction, device };
    this.#kind = {
      name: `${where}.forward`,
      loss: 'softmax',
      subtractLogQ: true,
      hits: 'keep',
      mindsporeNumerics: numerics === 'mindspore',
    };
    const values = options.sampledValues ?? undefined;
    if (values === undefined) {
      this.#sampler = new MindSporeUniformSampler({ rangeMax: numClasses, numSampled, seed, removeAccidentalHits });
    } else {
      this.#sampledValues = readSampledValues(values);
    }
  }

  /**
   * The loss of each row, and the gradients asked for.
   *
   * @throws SampledSoftmaxTypeError, SampledSoftmaxRangeError - a wrong argument, named with its position and value
   * @throws SampledSoftmaxError `ERR_DRAW_LIMIT`, `ERR_OUT_OF_MEMORY`, `ERR_DISPOSED`, `ERR_DEVICE_FAILED`
   */
  async forward<const O extends ForwardOptions>(options: Only<O, ForwardOptions>): Promise<ForwardResult<O, R>> {
    return (await sampledLoss(this.#kind, this.#lossOptions('', options, ['signal']))) as ForwardResult<O, R>;
  }

  /** {@link SampledSoftmaxLoss.forward}, computed before it returns. */
  forwardSync<const O extends ForwardSyncOptions>(options: Only<O, ForwardSyncOptions>): ForwardResult<O, R> {
    return sampledLossSync(this.#kind, this.#lossOptions('Sync', options, [])) as ForwardResult<O, R>;
  }

  #lossOptions(form: '' | 'Sync', options: ForwardOptions, more: readonly string[]): AnySampledOptions {
    checkOptions(`${this.#kind.name}${form}`, options, ['weights', 'biases', 'labels', 'inputs', 'gradients', ...more]);
    const source = this.#sampler ? { sampler: this.#sampler } : { sampledValues: this.#sampledValues };
    const { numSampled, ...same } = this.#options;
    const sampled = this.#sampler ? { numSampled } : {}; // MindSpore does not compare it with given samples
    const own = { ...options };
    return { ...own, labels: flat(own.labels, same.numTrue), ...same, ...sampled, ...source };
  }
}

/** MindSpore reshapes labels of any rank to rows of numTrue. */
function flat(labels: Ids, numTrue: number): Ids {
  if (typeof labels !== 'object' || labels === null || !('data' in labels)) return labels;
  const { data, shape } = labels;
  const length = lengthOf(data);
  // What is no shape, or not that of the data, is left to the checks that name it.
  if (length === undefined || !Array.isArray(shape) || shape.reduce((a: number, b) => a * Number(b), 1) !== length) return { data, shape };
  return { data, shape: [batchOf('labels', length, undefined, numTrue), numTrue] };
}

/** The sample for the life of the object, whatever the caller does with its arrays afterwards. */
function readSampledValues(values: unknown): SampledValuesInput {
  const named = namedSampledValues(values);
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, copied(value)])) as unknown as SampledValuesInput;
}

function copied(value: unknown): unknown {
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) return (value as Float32Array).slice();
  return typeof value === 'object' && value !== null && 'data' in value ? { ...value, data: copied(value.data) } : value;
}

function namedSampledValues(values: unknown): SampledValuesInput {
  if (Array.isArray(values)) {
    if (values.length !== 3) {
      throw makeError('ERR_INVALID_ARG_VALUE', `${where}: sampledValues: expected 3 arrays, got ${values.length}`);
    }
    const [sampledCandidates, trueExpectedCount, sampledExpectedCount] = values as [Ids, number[], number[]];
    return { sampledCandidates, trueExpectedCount, sampledExpectedCount };
  }
  if (typeof values !== 'object' || values === null || ArrayBuffer.isView(values)) {
    throw makeError('ERR_INVALID_ARG_TYPE', `${where}: sampledValues: expected three arrays or an object of them, got ${show(values)}`);
  }
  return values as SampledValuesInput;
}
