# file: kernels/operand.cuh
# kernel: class_gradients
# A buffer is filled while other threads still multiply it.
/product\.add\(/,/if \(more\) store/ { /__syncthreads\(\);/d }
