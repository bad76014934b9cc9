# file: kernels/operand.cuh
# kernel: input_gradients
# Nobody waits for cp.async.
s/^( *)wait_for_copies<kStages - 2>\(\);/\1/
