# file: kernels/class_gradients.cu
# kernel: class_gradients
# The last part of the batch does not get into the gradients of classes.
s/dim, num_parts\);/dim, num_parts - 1);/
