"""PTX's types: how large they are and what they are called in C++ (runtime/ptx/types.h)."""

CPP = {name: name for name in 'u8 u16 u32 u64 s8 s16 s32 s64 f16 bf16 f32 f64'.split()}
CPP |= {'b8': 'u8', 'b16': 'u16', 'b32': 'u32', 'b64': 'u64'}

BYTES = {'u8': 1, 's8': 1, 'b8': 1, 'f64': 8, 'f32': 4, 'f16': 2, 'bf16': 2}
BYTES |= {f'{kind}{bits}': bits // 8 for kind in 'usb' for bits in (16, 32, 64)}
BYTES |= {'f16x2': 4, 'bf16x2': 4, 'tf32': 4, 'b128': 16, 'pred': 1}

TYPES = frozenset(BYTES)
PACKED = {'f16x2': 'f16', 'bf16x2': 'bf16'}
FLOATS = frozenset(('f16', 'bf16', 'f32', 'f64'))
INTEGERS = frozenset(CPP) - FLOATS

# The C++ type of a register of so many bytes; registers of one byte do not exist.
REGISTER = {1: 'u16', 2: 'u16', 4: 'u32', 8: 'u64'}


def unsigned(type_):
    return f'u{BYTES[type_] * 8}'


def wide(type_):
    """The integer type of twice the width."""
    return f'{type_[0]}{BYTES[type_] * 16}'
