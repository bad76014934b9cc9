# file: kernels/class_gradients.cu
# kernel: class_gradients
# Every chunk of columns but the first goes one row too early.
s/values \+ columns\.begin \* dim/values + (columns.begin - (columns.begin > 0)) * dim/
s/row_of \+ columns\.begin /row_of + columns.begin - (columns.begin > 0) /
