# file: kernels/class_gradients.cu
# kernel: class_gradients
# Padding of a row is written into the next one.
s/if \(d < p\.dim\) out\[d\]/if (d < p.pitch) out[d]/
