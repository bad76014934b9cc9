# file: kernels/rows.cu
# kernel: rows
# A write far outside of all memory: the device fails for good.
s/losses\[b\] = /losses[b + (int64_t{1} << 36)] = /
