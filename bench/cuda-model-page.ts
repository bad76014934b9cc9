/** `npm run bench:cuda-model` writes bench/cuda-model.md: what bench/cuda-model.ts says of the workloads on some GPUs. */
import { writeFileSync } from 'node:fs';
import { bound, boundOfStep, bytesForLogits, gpuCalled, gpus, kernels, products, type Gpu, type Work } from './cuda-model.ts';
import { workloads, type Workload } from './workloads.ts';

const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly string[]): string[] => [
  '',
  row(...head),
  row(...head.map(() => '---')),
  ...rows,
  '',
];

function introduction(): string[] {
  return [
    '# What a step costs on a GPU at the least',
    '',
    'Written by `npm run bench:cuda-model`. **Bounds, not measurements** (those are in README.md). For each kernel the bytes',
    'that must cross the memory (what fits the L2 cache between two kernels need not), the bytes asked of the L2 cache and the multiply-adds',
    'of whole tiles are functions of the sizes (bench/cuda-model.ts), which a test holds to what the emulator counts at small sizes; the largest',
    "of the three over a GPU's published peak is the time that the kernel cannot beat. Launches (about 3 us each, ten of them, one after",
    'another) and what goes over PCIe come on top.',
    '',
    "Log-uniform sample, one label a row, biases, unmerged gradients. Products: of float32 by multiply-adds (`precision: 'highest'`) and in",
    "tf32 on tensor cores (`'high'`), and of rows of bfloat16 on tensor cores (`'high'`). Microseconds, in this order.",
  ];
}

function workloadTable(): string[] {
  const rows = workloads.map((workload) => {
    const sum = (of: (work: Work) => number): number => kernels(workload).reduce((total, work) => total + of(work), 0);
    const sizes = [sum((w) => 2 * w.multiplyAdds) / 1e9, sum((w) => w.memory + w.between) / 1e6, sum((w) => w.cache) / 1e6].map(number);
    const times = gpus.map((gpu) => products.map((multiplied) => number(boundOfStep(workload, gpu, multiplied))).join(' / '));
    return row(workload.name, ...sizes, ...times);
  });
  return table(['workload', 'GFLOP', 'MB touched', 'L2 MB', ...gpus.map(({ name }) => name)], rows);
}

function kernelTable(): string[] {
  const rows = kernels(workloads.find(({ name }) => name === 'wide-catalogue') as Workload).map((work) => {
    const cells = gpus.map((gpu) => bound(work, gpu, 'float32')).map(({ microseconds, by }) => `${number(microseconds)} us, ${by}`);
    return row(work.kernel, ...cells);
  });
  return ['## What bounds each kernel', '', 'wide-catalogue, float32.', ...table(['kernel', ...gpus.map(({ name }) => name)], rows)];
}

function logitsTable(): string[] {
  const rows = workloads.map((workload) => {
    const { kept, formedAgain } = bytesForLogits(workload);
    return row(workload.name, number(kept / 1e6), number(formedAgain / 1e6));
  });
  return [
    '## Logits: kept, or formed again for the gradients',
    '',
    'MB that are asked of the L2 cache. Formed again, for each of the gradients, logits move fewer bytes up to 128 dims, but two products come to',
    'three, and an exponential for each logit to one for every 64 dims and each of the gradients: formed on the way to the products, these',
    'exponentials took an H200 longer than the products (806 us a step of language-model in tf32, and 339 once they were formed apart). So',
    'logits are kept, up to 512 MiB, and activations take their place. Beyond, where they would not fit, a chunk of columns at a time is formed',
    'once more and serves both gradients.',
    ...table(['workload', 'kept', 'formed again'], rows),
  ];
}

/** The full softmax at the size of Cut Cross-Entropy's own table. */
function comparison(): string[] {
  const { peak } = gpuCalled('NVIDIA A100-SXM4-40GB') as Gpu;
  const product = (2 * 8192 * 256_000 * 2304) / 1e12;
  const milliseconds = (count: number, teraflops: number): string => number(((count * product) / teraflops) * 1e3);
  return [
    '## Beside published figures',
    '',
    'Cut Cross-Entropy (github.com/apple/ml-cross-entropy, README; A100 SXM4, bfloat16, Gemma 2: 8192 tokens, 256,000 classes, 2304 dims) takes 46.4 ms for',
    `the loss and 89.3 ms for its gradients. One product of that size is ${number(product)} TFLOP. Our \`softmaxLoss\` keeps no logits either: it forms them`,
    'once for the loss, and again for the gradients with two products more, so that on the same GPU bfloat16 cannot take less than',
    `${milliseconds(1, peak.bfloat16)} ms and ${milliseconds(3, peak.bfloat16)} ms (theirs skip gradients that are too small to matter).`,
    '',
    'FBGEMM publishes no time for a comparable step: its embedding kernels are lookups and updates, bound by memory alone.',
    '',
  ];
}

const page = [...introduction(), ...workloadTable(), ...kernelTable(), ...logitsTable(), ...comparison()];
writeFileSync(new URL('cuda-model.md', import.meta.url), page.join('\n'));
