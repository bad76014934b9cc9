# file: kernels/logits.cu
# kernel: logits
# An accidental hit of the last column counts.
s/column \+ 1 < p\.count/column + 2 < p.count/
s/column >= p\.count\) continue/column + 1 >= p.count) continue/
