# file: kernels/operand.cuh
# kernel: class_gradients
# A buffer is multiplied while other threads' copies to it are under way, and filled while they multiply it.
/wait_for_copies<kStages - 2>\(\);/,/product\.add/ { /__syncthreads\(\);/d }
