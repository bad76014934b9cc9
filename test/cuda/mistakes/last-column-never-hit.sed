# file: kernels/logits.cu
# kernel: logits
# An accidental hit of the last column counts.
s/p\.hits\.keys && column < p\.count/p.hits.keys \&\& column + 1 < p.count/
