# file: kernels/class_gradients.cu
# kernel: class_gradients
# Atomic additions: the bits depend on which warp comes first.
s/^( *)group_sums\[group\]\[column\] = sum;/\1if (group == 0) group_sums[0][column] = 0; __syncthreads(); atomicAdd(\&group_sums[0][column], sum);/
s/for \(int g = 1; g < kRows; \+\+g\) sum \+= group_sums\[g\]\[column\];/sum = group_sums[0][column];/
