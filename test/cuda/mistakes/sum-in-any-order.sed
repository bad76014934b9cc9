# file: kernels/activations.cu
# kernel: activations
# Atomic additions: the bits depend on which warp comes first.
s/^( *)group_sums\[group\]\[at \+ at \/ 16\] = sum\[v\];/\1if (group == 0) group_sums[0][at + at \/ 16] = 0; __syncthreads(); atomicAdd(\&group_sums[0][at + at \/ 16], sum[v]);/
s/g < kGroups; \+\+g\) total/g < 1; ++g) total/
