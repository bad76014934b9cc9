# file: kernels/class_gradients.cu
# kernel: class_gradients
# Padding of a row is written into the next one.
s/out, first_dim, p\.dim, aligned/out, first_dim, p.pitch, aligned/
