"""Addition to remainder, for integers and floating point."""
from ..errors import Unsupported
from ..types import CPP, FLOATS, PACKED, unsigned, wide
from .table import opcode

INTEGERS = 'u16 s16 u32 s32 u64 s64'
FLOATING = 'f32 f64 f16 bf16 f16x2 bf16x2'
ROUNDINGS = {'rn': 'Nearest', 'rz': 'Zero', 'rm': 'Down', 'rp': 'Up'}


def floating(f, i, name, sources=None):
    """d = name(sources), with the modifiers of floating-point instructions."""
    sources = i.operands[1:] if sources is None else sources
    if i.type in PACKED:
        return packed(f, i, name, sources)
    values = [f.value(s, i.type) for s in sources]
    if i.has('ftz'):
        _only(i, 'f32', 'ftz')
        values = [f'flush({v})' for v in values]
    rounding = i.one_of(*ROUNDINGS, otherwise='rn')
    if rounding != 'rn':
        if i.type not in ('f32', 'f64'):
            raise Unsupported(i.text)
        values = [f'Rounding::{ROUNDINGS[rounding]}', *values]
    result = f'{name}({", ".join(values)})'
    if i.has('ftz'):
        result = f'flush({result})'
    if i.has('sat'):
        result = f'saturate({result})' if i.type in ('f32', 'f64') else f'saturate_half({result})'
    if i.has('relu'):
        result = f'relu({result})'
    return f.assign(i.operands[0], i.type, result)


def packed(f, i, name, sources):
    """The same for both halves of a register."""
    if i.has('ftz') or i.one_of(*ROUNDINGS, otherwise='rn') != 'rn':
        raise Unsupported(i.text)
    half = PACKED[i.type]

    def element(shift):
        values = [f'{half}{{u16({f.value(s, "u32")} >> {shift})}}' for s in sources]
        result = f'{name}({", ".join(values)})'
        if i.has('sat'):
            result = f'saturate_half({result})'
        if i.has('relu'):
            result = f'relu({result})'
        return f'u32({result}.bits) << {shift}'

    return f.assign(i.operands[0], 'u32', f'{element(0)} | {element(16)}')


def _only(i, type_, modifier):
    if i.type != type_:
        raise Unsupported(f'.{modifier} of {i.text}')


def integer(f, i, name):
    values = ', '.join(f.value(o, i.type) for o in i.operands[1:])
    return f.assign(i.operands[0], i.type, f'{name}<{CPP[i.type]}>({values})')


@opcode('add sub', f'{INTEGERS} {FLOATING}', 'rn rz rm rp ftz sat cc', 3)
def add(f, i):
    if i.has('cc'):
        return carry(f, i)
    if i.type in FLOATS or i.type in PACKED:
        return floating(f, i, i.opcode)
    if i.has('sat'):
        _only(i, 's32', 'sat')
        a, b = (f.value(o, 's32') for o in i.operands[1:])
        return f.assign(i.operands[0], 's32', f'{i.opcode}_saturated({a}, {b})')
    return integer(f, i, i.opcode)


@opcode('mul', f'{INTEGERS} {FLOATING}', 'rn rz rm rp ftz sat lo hi wide', 3)
def mul(f, i):
    if i.type in FLOATS or i.type in PACKED:
        return floating(f, i, 'mul')
    product, type_ = _product(f, i)
    return f.assign(i.operands[0], type_, product)


@opcode('mad', f'{INTEGERS} f32 f64', 'rn rz rm rp ftz sat lo hi wide cc', 4)
def mad(f, i):
    if i.has('cc'):
        return carry(f, i)
    if i.type in FLOATS:
        return floating(f, i, 'fma')
    product, type_ = _product(f, i)
    return f.assign(i.operands[0], type_, f'add<{type_}>({product}, {f.value(i.operands[3], type_)})')


def _product(f, i):
    """The product that .lo, .hi or .wide asks for, and its type."""
    if i.has('sat'):
        raise Unsupported(i.text)
    a, b = (f.value(o, i.type) for o in i.operands[1:3])
    part = i.one_of('lo', 'hi', 'wide')
    if part == 'wide':
        return f'mul_wide<{i.type}>({a}, {b})', wide(i.type)
    return f'mul_{"low" if part == "lo" else "high"}<{i.type}>({a}, {b})', i.type


@opcode('addc subc madc', 'u32 s32 u64 s64', 'cc lo hi', (3, 4))
def carry(f, i):
    """Extended precision: the carry flag is a local variable of the function."""
    u = unsigned(i.type)
    if u not in ('u32', 'u64') or i.has('sat'):
        raise Unsupported(i.text)
    name = i.opcode.removesuffix('c')
    if name == 'mad':
        product, _ = _product(f, i)
        a, b = f'{u}({product})', f.value(i.operands[3], u)
    else:
        a, b = (f.value(o, u) for o in i.operands[1:])
    step = 'sub_borrow' if name == 'sub' else 'add_carry'
    carry_in = 'carry' if i.opcode.endswith('c') else 'false'
    carry_out = 'carry' if i.has('cc') else 'ignored_carry'
    return f.assign(i.operands[0], u, f'{step}<{u}>({a}, {b}, {carry_in}, {carry_out})')


@opcode('fma', FLOATING, 'rn rz rm rp ftz sat relu', 4)
def fma(f, i):
    return floating(f, i, 'fma')


@opcode('div', f'{INTEGERS} f32 f64', 'rn rz rm rp ftz full approx', 3)
def div(f, i):
    if i.type not in FLOATS:
        return integer(f, i, 'div')
    kind = i.one_of('full', 'approx', *ROUNDINGS)
    return floating(f, i, f'div_{kind}' if kind in ('full', 'approx') else 'div')


@opcode('rem', INTEGERS, '', 3)
def rem(f, i):
    return integer(f, i, 'rem')


@opcode('min max', f'{INTEGERS} {FLOATING}', 'ftz NaN', 3)
def min_max(f, i):
    if i.type in FLOATS or i.type in PACKED:
        return floating(f, i, i.opcode + ('_nan' if i.has('NaN') else ''))
    return integer(f, i, i.opcode)


@opcode('neg abs', f's16 s32 s64 {FLOATING}', 'ftz', 2)
def neg_abs(f, i):
    return floating(f, i, i.opcode) if i.type in FLOATS or i.type in PACKED else integer(f, i, i.opcode)


@opcode('sad', INTEGERS, '', 4)
def sad(f, i):
    return integer(f, i, 'sad')
