# file: kernels/table_rows.cuh
# kernel: table_copy
# Of two lanes that share a row both take its first piece.
s/threadIdx\.x & \(\(1u << lanes_log2\) - 1\)/threadIdx.x \& ((1u << lanes_log2) - 2)/
