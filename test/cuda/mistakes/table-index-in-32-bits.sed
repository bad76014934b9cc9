# file: kernels/table_copy.cu
# kernel: table_copy
# The first element of a row is counted in 32 bits.
s/from \+ (\(from_index \? from_index\[k\] : k\) \* from_pitch);/from + static_cast<int>(\1);/
