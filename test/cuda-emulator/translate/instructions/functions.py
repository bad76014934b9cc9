"""Roots, exponentials and the like."""
from .arithmetic import ROUNDINGS, floating
from .table import opcode


@opcode('ex2 lg2 sin cos', 'f32', 'approx ftz', 2)
def approximate(f, i):
    return floating(f, i, f'{i.opcode}_approx')


@opcode('tanh', 'f32', 'approx', 2)
def tanh(f, i):
    return floating(f, i, 'tanh_approx')


@opcode('rcp rsqrt sqrt', 'f32 f64', 'approx ftz rn rz rm rp', 2)
def root(f, i):
    if i.has('approx') and i.type == 'f64':
        i.modifiers.remove('ftz')  # it only exists with it, and is exact here
    exact = i.one_of('approx', *ROUNDINGS) != 'approx'
    return floating(f, i, i.opcode if exact else f'{i.opcode}_approx')


@opcode('copysign', 'f32 f64', '', 3)
def copy_sign(f, i):
    d, sign, magnitude = i.operands
    return f.assign(d, i.type, f'std::copysign({f.value(magnitude, i.type)}, {f.value(sign, i.type)})')


TESTS = {'finite': 'std::isfinite', 'infinite': 'std::isinf', 'number': '!is_nan', 'notanumber': 'is_nan',
         'normal': 'std::isnormal', 'subnormal': 'is_subnormal'}


@opcode('testp', 'f32 f64', ' '.join(TESTS), 2)
def test(f, i):
    d, a = i.operands
    return f.assign_predicate(d, f'{TESTS[i.one_of(*TESTS)]}({f.value(a, i.type)})')
