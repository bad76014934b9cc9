"""Comparisons and selections."""
from ..errors import Unsupported
from ..types import CPP, FLOATS
from .bits import OPERATORS
from .table import opcode

NUMBERS = 'b16 b32 b64 u16 u32 u64 s16 s32 s64 f16 bf16 f32 f64'
ORDERED = {'eq': '==', 'ne': '!=', 'lt': '<', 'le': '<=', 'gt': '>', 'ge': '>='}
UNSIGNED = {'lo': '<', 'ls': '<=', 'hi': '>', 'hs': '>='}
UNORDERED = {name + 'u': operator for name, operator in ORDERED.items()}
COMPARISONS = [*ORDERED, *UNSIGNED, *UNORDERED, 'num', 'nan']


def comparison(f, i, a, b):
    name = i.one_of(*COMPARISONS)
    x, y = f.value(a, i.type), f.value(b, i.type)
    if i.type not in FLOATS:
        operator = ORDERED.get(name) or UNSIGNED.get(name)
        if not operator or (name in UNSIGNED and i.type[0] == 's'):
            raise Unsupported(i.text)
        return f'({x} {operator} {y})'
    if i.has('ftz'):
        if i.type != 'f32':
            raise Unsupported(i.text)
        x, y = f'flush({x})', f'flush({y})'
    either_nan = f'(is_nan({x}) || is_nan({y}))'
    if name in ('num', 'nan'):
        return either_nan if name == 'nan' else f'!{either_nan}'
    operator = ORDERED.get(name) or UNORDERED.get(name)
    if not operator:
        raise Unsupported(i.text)
    plain = f'widen({x}) {operator} widen({y})'
    return f'({either_nan} || {plain})' if name in UNORDERED else f'(!{either_nan} && {plain})'


@opcode('setp', NUMBERS, ' '.join(COMPARISONS) + ' and or xor ftz', (3, 4))
def set_predicate(f, i):
    combine = i.one_of(*OPERATORS, otherwise='')
    if bool(combine) != (len(i.operands) == 4):
        raise Unsupported(i.text)

    def combined(result):
        return f'bool({result} {OPERATORS[combine]} {f.predicate(i.operands[3])})' if combine else result

    d, *complement = i.operands[0].split('|')
    lines = [f'const bool holds = {comparison(f, i, *i.operands[1:3])};', f'const bool p = {combined("holds")};']
    if complement:
        lines.append(f.assign_predicate(complement[0], combined('!holds')))
    return '{ ' + ' '.join(lines + [f.assign_predicate(d, 'p')]) + ' }'


@opcode('set', NUMBERS, ' '.join(COMPARISONS) + ' ftz', 3)
def set_value(f, i):
    d, a, b = i.operands
    yes = {'u32': '~0u', 's32': '-1', 'f32': '1.f'}.get(i.types[0])
    if not yes or len(i.types) != 2:
        raise Unsupported(i.text)
    cpp = CPP[i.types[0]]
    return f.assign(d, i.types[0], f'{comparison(f, i, a, b)} ? {cpp}({yes}) : {cpp}(0)')


@opcode('selp', NUMBERS, '', 4)
def select(f, i):
    d, a, b, p = i.operands
    return f.assign(d, i.type, f'{f.predicate(p)} ? {f.value(a, i.type)} : {f.value(b, i.type)}')
