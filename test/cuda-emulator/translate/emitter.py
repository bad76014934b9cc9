"""Writes a translated module as C++."""
import collections
import re

from .errors import Unsupported
from .types import BYTES, CPP, INTEGERS, unsigned


_PROLOGUE = ('#include "runtime/ptx/ptx.h"',
             '#define COUNT(block) (void)++counts[block]',
             '#pragma GCC diagnostic ignored "-Wunused-but-set-variable"',
             '#pragma GCC diagnostic ignored "-Wunused-label"',
             'namespace cuemu::ptx {',
             'namespace {',
             'uint32_t kFirstSite;')


def emit(module, source):
    kernels = [f for f in module.defined if f.is_entry]
    helpers = [f for f in module.defined if not f.is_entry]
    lines = [f'// Translated from {source}. Do not edit.', *_PROLOGUE]
    lines += [line for variable in module.initialized for line in _variable(*variable)]
    lines += [f'void {f.cpp}({_signature(f)});' for f in helpers]
    for f in module.defined:
        lines += _function(f)
    lines += _sites(module)
    for f in kernels:
        lines += _kernel(f)
    lines += _registration(module, kernels)
    lines += ['}  // namespace', '}  // namespace cuemu::ptx']
    return '\n'.join(lines) + '\n'


def _variable(cpp, name, type_, size, initializer):
    values = (initializer or '').strip('{} ')
    if re.search(r'[A-Za-z_$]', re.sub(r'0[xXfFdD][0-9a-fA-F]+', '', values)):
        raise Unsupported(f'the initializer of {name} holds an address')
    numbers = re.sub(r'0[fFdD]', '0x', values)
    element = CPP[type_] if type_ in INTEGERS else unsigned(type_)  # floating point comes as bits
    count = max(size // BYTES[type_], 1)
    return [f'alignas(16) const {element} {cpp}_initial[{count}] = {{{numbers}}};', f'unsigned char* {cpp};']


def _signature(f):
    if f.is_entry:
        return 'const unsigned char* P'
    names = (['R'] if f.returns else []) + [f'A{i}' for i in range(len(f.parameters))]
    return ', '.join(f'unsigned char* {name}' for name in names)


def _function(f):
    yield f'uint64_t {f.cpp}_counts[{len(f.blocks)}];'
    yield f'void {f.cpp}({_signature(f)}) {{'
    yield f'[[maybe_unused]] constexpr u64 kStaticShared = {_rounded(f.static_shared)};'
    yield f'uint64_t* const counts = {f.cpp}_counts;'
    yield 'COUNT(0);'
    for name, size in f.buffers:
        yield f'alignas(16) unsigned char {name}[{size}];'
    by_type = collections.defaultdict(list)
    for register in f.registers:
        by_type[register.type].append(register.cpp)
    for type_, names in by_type.items():
        yield f'{type_} {", ".join(names)};'
    yield '[[maybe_unused]] bool carry = false, ignored_carry;'
    yield from f.code
    yield '}'


def _rounded(size):
    return (size + 15) // 16 * 16


def _sites(module):
    yield 'const Site kSites[] = {'
    for site in module.sites.table:
        place, caller = _place(module, site.location, '?'), _place(module, site.caller, '')
        yield f'{{{place}, "{site.what}", {site.merge}, {caller}}},'
    yield '{"", 0, "", 1, "", 0}};'


def _place(module, location, unknown):
    file, line = location
    return f'"{module.files.get(file, unknown).rsplit("/", 1)[-1]}", {line}'


def _kernel(f):
    yield f'const Parameter {f.cpp}_parameters[] = {{'
    yield from (f'{{{p.offset}, {p.size}}},' for p in f.parameters)
    yield '{0, 0}};'
    opcodes = [(k, name, n) for k, block in enumerate(f.blocks) for name, n in collections.Counter(block).items()]
    yield f'const OpcodeCount {f.cpp}_opcodes[] = {{'
    yield from (f'{{{block}, "{name}", {n}}},' for block, name, n in opcodes)
    yield '{0, "", 0}};'
    yield (f'const Kernel {f.cpp}_kernel = {{"{f.name}", {f.cpp}, {f.static_shared}, {f.parameter_bytes}, '
           f'{f.cpp}_parameters, {len(f.parameters)}, {f.max_threads}, kChecked, '
           f'{f.cpp}_counts, {f.cpp}_opcodes, {len(opcodes)}}};')


def _registration(module, kernels):
    yield '[[maybe_unused]] const bool registered = [] {'
    yield f'  kFirstSite = add_sites(kSites, {len(module.sites.table)});'
    for f in kernels:
        yield f'  add_kernel(&{f.cpp}_kernel);'
    for cpp, name, _, size, _ in module.initialized:
        yield f'  add_variable({{"{name}", &{cpp}, {cpp}_initial, {size}}});'
    yield '  return true;'
    yield '}();'
