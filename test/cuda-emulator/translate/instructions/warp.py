"""Barriers, and what the lanes of a warp exchange."""
from ..errors import Unsupported
from .table import opcode


@opcode('bar barrier', 'u32 pred', 'sync red warp cta aligned popc and or', (1, 2, 3, 4))
def barrier(f, i):
    if i.has('warp'):
        return f'syncwarp({f.value(i.operands[0], "u32")});'
    file, line = f.module.location
    place = f'u64({int(file) << 32 | line})'
    if i.one_of('sync', 'red') == 'sync':
        number, *count = i.operands
        count = f.value(count[0], 'u32') if count else 0
        return f'barrier({f.value(number, "u32")}, {count}, NoReduction, 0, {place});'
    reduction = {'popc': 'CountTrue', 'and': 'AllTrue', 'or': 'AnyTrue'}[i.one_of('popc', 'and', 'or')]
    d, number, *count, predicate = i.operands
    count = f.value(count[0], 'u32') if count else 0
    call = f'barrier({f.value(number, "u32")}, {count}, {reduction}, {f.predicate(predicate)}, {place})'
    return f.assign_predicate(d, f'{call} != 0') if i.type == 'pred' else f.assign(d, 'u32', f'u32({call})')


@opcode('shfl', 'b32', 'sync idx up down bfly', 5)
def shuffle(f, i):
    kind = {'idx': 'Index', 'up': 'Up', 'down': 'Down', 'bfly': 'Butterfly'}[i.one_of('idx', 'up', 'down', 'bfly')]
    target, a, b, c, mask = i.operands
    d, *in_range = target.split('|')
    values = ', '.join(f.value(o, 'u32') for o in (mask, a, b, c))
    lines = [f'const Shuffled got = shuffle(Shuffle::{kind}, {values});', f.assign(d, 'b32', 'got.value')]
    if in_range:
        lines.append(f.assign_predicate(in_range[0], 'got.in_range'))
    return '{ ' + ' '.join(lines) + ' }'


@opcode('vote', 'b32 pred', 'sync ballot any all uni', 3)
def vote(f, i):
    d, p, mask = i.operands
    p, mask = f.predicate(p), f.value(mask, 'u32')
    kind = i.one_of('ballot', 'any', 'all', 'uni')
    if kind == 'ballot':
        return f.assign(d, 'b32', f'ballot({mask}, {p})')
    if kind == 'any':
        return f.assign_predicate(d, f'ballot({mask}, {p}) != 0')
    if kind == 'all':
        return f.assign_predicate(d, f'ballot({mask}, !({p})) == 0')
    both = f'const u32 yes = ballot({mask}, {p}), no = ballot({mask}, !({p}));'
    return f'{{ {both} {f.assign_predicate(d, "!yes || !no")} }}'


@opcode('match', 'b32 b64', 'any all sync', 3)
def match(f, i):
    target, a, mask = i.operands
    a, mask = f.value(a, i.type), f.value(mask, 'u32')
    if i.one_of('any', 'all') == 'any':
        return f.assign(target, 'b32', f'match_any({mask}, {a})')
    d, *all_ = target.split('|')
    lines = [f'const Matched got = match_all({mask}, {a});', f.assign(d, 'b32', 'got.mask')]
    if all_:
        lines.append(f.assign_predicate(all_[0], 'got.all'))
    return '{ ' + ' '.join(lines) + ' }'


REDUCTIONS = {('add', 'u32'): 'Add', ('add', 's32'): 'Add', ('min', 'u32'): 'MinUnsigned', ('min', 's32'): 'MinSigned',
              ('max', 'u32'): 'MaxUnsigned', ('max', 's32'): 'MaxSigned',
              ('and', 'b32'): 'And', ('or', 'b32'): 'Or', ('xor', 'b32'): 'Xor'}


@opcode('redux', 'u32 s32 b32', 'sync add min max and or xor', 3)
def reduce(f, i):
    d, a, mask = i.operands
    kind = REDUCTIONS.get((i.one_of('add', 'min', 'max', 'and', 'or', 'xor'), i.type))
    if not kind:
        raise Unsupported(i.text)
    return f.assign(d, 'b32', f'reduce(Reduce::{kind}, {f.value(mask, "u32")}, {f.value(a, "u32")})')


@opcode('activemask', 'b32', '', 1)
def active_mask(f, i):
    return f.assign(i.operands[0], 'b32', 'active_mask()')
