# file: kernels/operand.cuh
# kernel: class_gradients
# A buffer is filled while threads multiply it.
s/shared\.a\[filled\], shared\.b\[filled\]/shared.a[buffer], shared.b[buffer]/
