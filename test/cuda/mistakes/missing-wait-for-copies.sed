# file: kernels/operand.cuh
# kernel: input_gradients
# Nobody waits for cp.async: only schedules in which copies land late show it.
s/^( *)wait_for_copies<1>\(\);/\1/
