"""Logic, shifts and bit fields."""
from ..lexer import elements
from ..types import BYTES, CPP
from .table import opcode

BITS = 'b16 b32 b64'
OPERATORS = {'and': '&', 'or': '|', 'xor': '^'}


@opcode('and or xor', f'{BITS} pred', '', 3)
def logic(f, i):
    d, a, b = i.operands
    operator = OPERATORS[i.opcode]
    if i.type == 'pred':
        return f.assign_predicate(d, f'bool({f.predicate(a)} {operator} {f.predicate(b)})')
    return f.assign(d, i.type, f'{f.value(a, i.type)} {operator} {f.value(b, i.type)}')


@opcode('not', f'{BITS} pred', '', 2)
def not_(f, i):
    d, a = i.operands
    if i.type == 'pred':
        return f.assign_predicate(d, f'!{f.predicate(a)}')
    return f.assign(d, i.type, f'{CPP[i.type]}(~{f.value(a, i.type)})')


@opcode('shl shr', f'{BITS} u16 u32 u64 s16 s32 s64', '', 3)
def shift(f, i):
    d, a, n = i.operands
    return f.assign(d, i.type, f'{i.opcode}<{CPP[i.type]}>({f.value(a, i.type)}, {f.value(n, "u32")})')


def _words(f, operands):
    return ', '.join(f.value(o, 'u32') for o in operands)


@opcode('shf', 'b32', 'l r wrap clamp', 4)
def funnel_shift(f, i):
    direction = {'l': 'left', 'r': 'right'}[i.one_of('l', 'r')]
    mode = i.one_of('wrap', 'clamp').capitalize()
    return f.assign(i.operands[0], 'u32', f'shf_{direction}({_words(f, i.operands[1:])}, Funnel::{mode})')


@opcode('bmsk', 'b32', 'wrap clamp', 3)
def bit_mask(f, i):
    mode = i.one_of('wrap', 'clamp').capitalize()
    return f.assign(i.operands[0], 'u32', f'bmsk({_words(f, i.operands[1:])}, Funnel::{mode})')


@opcode('lop3', 'b32', '', 5)
def lop3(f, i):
    return f.assign(i.operands[0], 'u32', f'lop3({_words(f, i.operands[1:])})')


@opcode('prmt', 'b32', '', 4)
def permute(f, i):
    return f.assign(i.operands[0], 'u32', f'prmt({_words(f, i.operands[1:])})')


@opcode('bfe', 'u32 s32 u64 s64', '', 4)
def extract(f, i):
    d, a, position, length = i.operands
    return f.assign(d, i.type, f'bfe<{i.type}>({f.value(a, i.type)}, {_words(f, (position, length))})')


@opcode('bfi', 'b32 b64', '', 5)
def insert(f, i):
    d, field, into, position, length = i.operands
    values = f'{f.value(field, i.type)}, {f.value(into, i.type)}, {_words(f, (position, length))}'
    return f.assign(d, i.type, f'bfi<{CPP[i.type]}>({values})')


@opcode('popc clz', 'b32 b64', '', 2)
def count(f, i):
    d, a = i.operands
    return f.assign(d, 'u32', f'{i.opcode}<{CPP[i.type]}>({f.value(a, i.type)})')


@opcode('brev', 'b32 b64', '', 2)
def reverse(f, i):
    d, a = i.operands
    return f.assign(d, i.type, f'brev<{CPP[i.type]}>({f.value(a, i.type)})')


@opcode('bfind', 'u32 s32 u64 s64', 'shiftamt', 2)
def find(f, i):
    d, a = i.operands
    return f.assign(d, 'u32', f'bfind{"_shift" if i.has("shiftamt") else ""}<{i.type}>({f.value(a, i.type)})')


@opcode('mov', f'{BITS} u16 u32 u64 s16 s32 s64 f16 bf16 f32 f64 pred', '', 2)
def move(f, i):
    d, a = i.operands
    if i.type == 'pred':
        return f.assign_predicate(d, f.predicate(a))
    if d.startswith('{'):
        return unpack(f, d, f.value(a, i.type), BYTES[i.type])
    if a.startswith('{'):
        return f.assign(d, i.type, pack(f, a, i.type))
    return f.assign(d, i.type, f.value(a, i.type))


def unpack(f, registers, value, size):
    names = elements(registers)
    bits = size * 8 // len(names)
    return ' '.join(f.assign(r, f'b{bits}', f'u{bits}({value} >> {bits * k})') for k, r in enumerate(names) if r != '_')


def pack(f, registers, type_):
    names, cpp = elements(registers), CPP[type_]
    bits = BYTES[type_] * 8 // len(names)
    return ' | '.join(f'{cpp}({cpp}({f.value(r, f"b{bits}")}) << {bits * k})' for k, r in enumerate(names))
