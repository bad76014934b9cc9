# file: kernels/merge.cu
# kernel: merge
# Neighbouring segments add to the same row.
/merge_class_gradients_kernel/,/^}/ s/segments\.rows\[s\] \* dim/segments.rows[s \/ 2 * 2] * dim/
