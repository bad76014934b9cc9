"""Loads, stores, atomics, asynchronous copies and fences."""
import re

from ..errors import Unsupported
from ..lexer import elements
from ..types import BYTES, CPP, PACKED
from .table import opcode

TYPES = 'b8 b16 b32 b64 u8 u16 u32 u64 s8 s16 s32 s64 f16 bf16 f32 f64'
ORDERS = 'volatile weak relaxed acquire release acq_rel cta cluster gpu sys'
CACHES = 'ca cg cs lu cv wb wt'
SPACES = {'global': 'Global', 'shared': 'Shared', '': 'Generic'}
STRENGTHS = {'relaxed': 'Relaxed', 'volatile': 'Relaxed', 'acquire': 'Acquire', 'release': 'Release',
             'acq_rel': 'AcquireRelease'}


def space_of(i):
    return i.one_of('global', 'shared', 'local', 'param', 'const', otherwise='')


def arguments(i, otherwise='weak'):
    """The template arguments that say where and how strongly memory is touched."""
    name = i.one_of('weak', *STRENGTHS, otherwise=otherwise)
    space = 'ReadOnly' if i.has('nc') else SPACES[space_of(i)]
    return f'Space::{space}, Strength::{STRENGTHS.get(name, "Weak")}'


@opcode('ld ldu', TYPES, f'global shared local param const nc v2 v4 v8 {ORDERS} {CACHES}', 2)
def load(f, i):
    target, source = i.operands
    space, cpp, registers = space_of(i), CPP[i.type], elements(target)
    address = f.address(source, space)
    if space in ('param', 'local', 'const'):
        bytes_ = f'storage({address})' if space == 'const' else f'(const char*)({address})'
        each = f.assign_vector(target, i.type, f'as_stored<{cpp}>(bytes + {{}} * {BYTES[i.type]})')
        return f'{{ const char* const bytes = {bytes_}; {each} }}'
    site = f.site(i.text)
    if space == 'shared' and len(registers) == 1 and BYTES[i.type] == 4:
        note_for_fusion(f, source, registers)
    loaded = f'load<Vector<{cpp}, {len(registers)}>, {arguments(i)}>({site}, {address})'
    return f'{{ const auto loaded = {loaded}; {f.assign_vector(target, i.type, "loaded.v[{}]")} }}'


def note_for_fusion(f, source, registers):
    if match := re.fullmatch(r'\[([^\s+]+)(?:\+(\d+))?\]', source):
        f.loads.add(match[1], int(match[2] or 0), len(f.module.sites.table) - 1, registers)


@opcode('st', TYPES, f'global shared local param v2 v4 v8 {ORDERS} {CACHES}', 2)
def store(f, i):
    target, source = i.operands
    space, cpp, values = space_of(i), CPP[i.type], [f.value(r, i.type) for r in elements(source)]
    address = f.address(target, space)
    vector = f'Vector<{cpp}, {len(values)}>{{{{{", ".join(values)}}}}}'
    if space in ('param', 'local'):
        return f'store_bytes((char*)({address}), {vector});'
    return f'store<{arguments(i)}>({f.site(i.text)}, {address}, {vector});'


OPERATIONS = 'add min max and or xor exch cas inc dec'
CHANGES = {'and': 'old & {b}', 'or': 'old | {b}', 'xor': 'old ^ {b}', 'exch': '{b}', 'cas': 'old == {b} ? {c} : old',
           'inc': 'old >= {b} ? 0 : old + 1', 'dec': 'old == 0 || old > {b} ? {b} : old - 1',
           'add': 'add(old, {b})', 'min': 'min(old, {b})', 'max': 'max(old, {b})'}


@opcode('atom', f'{TYPES} f16x2 bf16x2', f'global shared {OPERATIONS} {ORDERS} noftz v2 v4 v8', (3, 4))
def atomic(f, i):
    return change(f, i, i.operands[0], *i.operands[1:])


@opcode('red', f'{TYPES} f16x2 bf16x2', f'global shared {OPERATIONS} {ORDERS} noftz v2 v4 v8', 2)
def reduce(f, i):
    return change(f, i, '_', *i.operands)


def change(f, i, result, address, operand, other=None):
    """Vectors go one element after the other, as the ISA allows."""
    operation = i.one_of(*OPERATIONS.split())
    if (operation == 'cas') != (other is not None):
        raise Unsupported(i.text)
    size = BYTES[i.type]
    site, first = f.site(i.text), f.address(address, space_of(i))
    operands = elements(operand)
    results = elements(result) if result != '_' else ['_'] * len(operands)
    return ' '.join(change_one(f, i, operation, r, f'{site}, {first} + {k * size}', o, other)
                    for k, (r, o) in enumerate(zip(results, operands, strict=True)))


def change_one(f, i, operation, result, where, operand, other):
    if i.type in PACKED:
        half, cpp, type_ = PACKED[i.type], 'u32', 'u32'
        b = f.value(operand, 'u32')
        both = [f'u32({operation}({half}{{u16(old >> {s})}}, {half}{{u16({b} >> {s})}}).bits) << {s}' for s in (0, 16)]
        if operation not in ('add', 'min', 'max'):
            raise Unsupported(i.text)
        expression = ' | '.join(both)
    else:
        type_, cpp = i.type, CPP[i.type]
        c = f.value(other, i.type) if other else ''
        expression = CHANGES[operation].format(b=f.value(operand, i.type), c=c)
    order = arguments(i, otherwise='relaxed')
    call = f'atomic<{cpp}, {order}>({where}, [&]({cpp} old) -> {cpp} {{ return {cpp}({expression}); }})'
    return f.assign(result, type_, call)


@opcode('cp', '', 'async ca cg shared global commit_group wait_group wait_all', (0, 1, 3, 4))
def copy_async(f, i):
    if not i.has('async'):
        raise Unsupported(i.text)
    if i.has('commit_group'):
        return 'commit_copies();'
    if i.has('wait_group'):
        return f'wait_for_copies({i.operands[0]});'
    if i.has('wait_all'):
        return 'commit_copies(); wait_for_copies(0);'
    target, source, size, *filled = i.operands
    if filled and f.is_predicate(filled[0]):
        raise Unsupported(f'{i.text} with a predicate')
    bytes_ = f.value(filled[0], 'u32') if filled else size
    where = f'{f.address(target, "shared")}, {f.address(source, "global")}'
    return f'copy_async({f.site(i.text, 2)}, {where}, {size}, {bytes_});'


@opcode('membar fence', '', 'cta cluster gl gpu sys sc acq_rel', 0)
def fence(f, i):
    return '' if i.has('cta') else 'fence_if_checked();'


@opcode('prefetch prefetchu discard applypriority', '', 'global local L1 L2', (1, 2))
def hint(f, i):
    return ''


@opcode('createpolicy', 'b64', 'fractional range', (1, 2, 3, 4, 5))
def cache_policy(f, i):
    return f.assign(i.operands[0], 'b64', 'u64(0)')
