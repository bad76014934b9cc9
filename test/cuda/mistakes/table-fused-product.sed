# file: kernels/table_add.cu
# kernel: table_add
# One rounding too few, where the CPU rounds the product as well.
s/To::load\(chunk\.at\[e\]\) \+ scale \* sum\[e\]/fma(scale, sum[e], To::load(chunk.at[e]))/
