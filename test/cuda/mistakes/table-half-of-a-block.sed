# file: kernels/table_init.cu
# kernel: table_init
# A row that begins with the second element of a Philox block has nothing for it.
s/if \(e == 0 \|\| !second\)/if (!second)/
