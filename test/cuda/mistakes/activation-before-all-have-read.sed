# file: kernels/activations.cu
# kernel: activations
# An activation of 16 bits takes the place of a logit that another lane has yet to read.
/__syncwarp\(\);/d
