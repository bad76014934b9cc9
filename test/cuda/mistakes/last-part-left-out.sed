# file: kernels/class_gradients.cu
# kernel: class_gradients
# The last part of the batch does not get into the gradients of classes.
s/part < num_parts; \+\+part\) sum/part + 1 < num_parts; ++part) sum/
