# file: kernels/operand.cuh
# kernel: class_gradients
# A buffer is multiplied while other threads' copies to it are under way.
/wait_for_copies<1>\(\);/,/product\.add/ { /__syncthreads\(\);/d }
