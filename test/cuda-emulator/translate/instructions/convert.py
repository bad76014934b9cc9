"""Conversions between types and between address spaces."""
from ..errors import Unsupported
from ..types import BYTES, CPP, FLOATS, PACKED
from .arithmetic import ROUNDINGS
from .table import opcode

TO_INTEGER = {'rni': 'Nearest', 'rzi': 'Zero', 'rmi': 'Down', 'rpi': 'Up'}
NUMBERS = 'u8 u16 u32 u64 s8 s16 s32 s64 f16 bf16 f32 f64'


@opcode('cvt', f'{NUMBERS} f16x2 bf16x2 tf32', 'rn rz rm rp rna rni rzi rmi rpi ftz sat relu', (2, 3))
def convert(f, i):
    if len(i.types) != 2:
        raise Unsupported(i.text)
    to, source = i.types
    if to == 'tf32' or to in PACKED:
        return to_tensor_format(f, i, to, source)
    if len(i.operands) != 2 or i.has('rna') or (i.has('relu') and BYTES[to] != 2):
        raise Unsupported(i.text)
    value = f.value(i.operands[1], source)
    if to in FLOATS and (source not in FLOATS or BYTES[to] < BYTES[source]) and not i.one_of(*ROUNDINGS, otherwise=''):
        raise Unsupported(f'{i.text} without a rounding')
    if source in FLOATS:
        value = flushed(i, source, value)
        result = float_to_float(i, to, source, value) if to in FLOATS else float_to_integer(i, to, value)
    elif to in FLOATS:
        result = integer_to_float(i, to, value)
    else:
        result = f'saturate_integer<{to}>({value})' if i.has('sat') else f'{to}({value})'
    return f.assign(i.operands[0], to, result)


def flushed(i, type_, value):
    return f'flush({value})' if i.has('ftz') and type_ == 'f32' else value


def rounding_of(i):
    name = i.one_of(*ROUNDINGS, *TO_INTEGER, otherwise='rn')
    return f'Rounding::{(ROUNDINGS | TO_INTEGER)[name]}'


def to_half(half, value, i):
    """A float as a half."""
    near = rounding_of(i) == 'Rounding::Nearest'
    result = f'narrow<{half}>({value})' if near else f'from_exact<{half}>({value}, {rounding_of(i)})'
    return f'relu({result})' if i.has('relu') else result


def to_tensor_format(f, i, to, source):
    if source != 'f32' or i.has('sat') or i.has('ftz'):
        raise Unsupported(i.text)
    d, *sources = i.operands
    values = [f.value(s, 'f32') for s in sources]
    if to == 'tf32':
        name = i.one_of('rna', 'rn', 'rz')
        if len(values) != 1 or i.has('relu'):
            raise Unsupported(i.text)
        exact = f'from_exact<tf32>({values[0]}, {rounding_of(i)}).bits'
        return f.assign(d, 'b32', f'to_tf32_away({values[0]})' if name == 'rna' else exact)
    if len(values) != 2 or i.has('rna'):
        raise Unsupported(i.text)
    high, low = (f'u32({to_half(PACKED[to], v, i)}.bits)' for v in values)
    return f.assign(d, 'b32', f'{high} << 16 | {low}')


def float_to_float(i, to, source, value):
    if to == source:
        if i.one_of(*TO_INTEGER, otherwise=''):
            value = f'round_to_integer(widen({value}), {rounding_of(i)})'
            value = value if BYTES[to] > 2 else f'narrow<{to}>({value})'
        result = f'canonical({value})'
    elif BYTES[to] == 2:
        result = to_half(to, value, i) if source == 'f32' else half_from_other(i, to, source, value)
    elif BYTES[to] > BYTES[source]:
        result = f'canonical({CPP[to]}(widen({value})))'
    else:
        near = rounding_of(i) == 'Rounding::Nearest'
        result = f'canonical(f32({value}))' if near else f'from_exact<f32>({value}, {rounding_of(i)})'
    result = flushed(i, to, result)
    if i.has('sat'):
        result = f'saturate({result})' if BYTES[to] > 2 else f'saturate_half({result})'
    return result


def half_from_other(i, to, source, value):
    result = f'from_exact<{to}>(widen({value}), {rounding_of(i)})'
    return f'relu({result})' if i.has('relu') else result


def float_to_integer(i, to, value):
    if not i.one_of(*TO_INTEGER, otherwise=''):
        raise Unsupported(i.text)
    return f'to_integer<{to}>({value}, {rounding_of(i)})'


def integer_to_float(i, to, value):
    near = rounding_of(i) == 'Rounding::Nearest'
    result = f'{to}({value})' if near and BYTES[to] > 2 else f'from_exact<{to}>({value}, {rounding_of(i)})'
    if i.has('sat'):
        result = f'saturate({result})' if BYTES[to] > 2 else f'saturate_half({result})'
    return result


SPACES = 'global shared local param const'


@opcode('cvta', 'u64', f'to {SPACES}', 2)
def convert_address(f, i):
    d, a = i.operands
    if not i.has('shared'):  # all other spaces have generic addresses
        return f.assign(d, 'u64', f.value(a, 'u64'))
    start = 'shared_begin'
    return f.assign(d, 'u64', f'{f.value(a, "u64")} {"-" if i.has("to") else "+"} {start}')


@opcode('isspacep', '', SPACES, 2)
def is_in_space(f, i):
    p, a = i.operands
    address = f.value(a, 'u64')
    if i.has('shared'):
        return f.assign_predicate(p, f'{address} - shared_begin < kSharedBytes')
    if i.has('global'):
        return f.assign_predicate(p, f'is_device_address({address})')
    raise Unsupported(i.text)
