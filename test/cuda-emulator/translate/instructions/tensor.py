"""Tensor cores and ldmatrix."""
from ..errors import Unsupported
from ..lexer import elements
from .table import opcode

SHAPES = {('m16n8k4', 'tf32'): 'M16N8K4Tf32', ('m16n8k8', 'tf32'): 'M16N8K8Tf32',
          ('m16n8k8', 'bf16'): 'M16N8K8Bf16', ('m16n8k16', 'bf16'): 'M16N8K16Bf16',
          ('m16n8k8', 'f16'): 'M16N8K8F16', ('m16n8k16', 'f16'): 'M16N8K16F16'}


@opcode('mma', 'f32 tf32 bf16 f16', 'sync aligned row col m16n8k4 m16n8k8 m16n8k16', 4)
def multiply_accumulate(f, i):
    shape = SHAPES.get((i.one_of('m16n8k4', 'm16n8k8', 'm16n8k16'), i.types[1]))
    _, a_type, b_type, _ = i.types
    in_f32 = i.types[0] == i.types[3] == 'f32'
    if not shape or a_type != b_type or not in_f32 or i.modifiers[-2:] != ['row', 'col']:
        raise Unsupported(i.text)
    d, a, b, c = i.operands

    def values(operand, type_):
        return ', '.join(f.value(r, type_) for r in elements(operand))

    return (f'{{ f32 sum[] = {{{values(c, "f32")}}}; '
            f'const u32 a[] = {{{values(a, "b32")}}}, b[] = {{{values(b, "b32")}}}; '
            f'multiply_accumulate(Mma::{shape}, sum, a, b); {f.assign_vector(d, "f32", "sum[{}]")} }}')


@opcode('ldmatrix', 'b16', 'sync aligned m8n8 x1 x2 x4 trans shared', 2)
def load_matrix(f, i):
    d, source = i.operands
    count = int(i.one_of('x1', 'x2', 'x4')[1])
    address = f.address(source, 'shared' if i.has('shared') else '')
    transposed = 'true' if i.has('trans') else 'false'
    return (f'{{ u32 got[{count}]; load_matrices({f.site(i.text)}, got, {count}, {address}, {transposed}); '
            f'{f.assign_vector(d, "b32", "got[{}]")} }}')
