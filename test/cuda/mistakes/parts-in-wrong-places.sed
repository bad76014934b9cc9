# file: kernels/input_gradients.cu
# kernel: input_gradients
# Parts of a sum are read as if they lay side by side.
s/sum_of_parts\(parts \+ i, batch \* dim, num_parts\)/sum_of_parts(parts + i * num_parts, 1, num_parts)/
