# file: kernels/table_add.cu
# kernel: table_add
# Nothing is added to the end of a row that is no whole piece.
s/d < dim; d \+= step/d + kWidth <= dim; d += step/
