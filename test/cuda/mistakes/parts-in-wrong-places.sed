# file: kernels/input_gradients.cu
# kernel: input_gradients
# Parts of a sum are read as if they lay side by side.
s/parts\[part \* batch \* dim \+ i\]/parts[i * num_parts + part]/
