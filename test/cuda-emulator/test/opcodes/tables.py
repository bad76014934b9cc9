#!/usr/bin/env python3
"""tables.py OUT.ptx OUT.txt TABLE... - makes kernels, and what they should answer, of tables of instructions.

A table has headings and, indented below each, cases:

    add.s32 d, a, b;        s32 s32 -> s32
      2147483647 1 -> -2147483648

A heading is PTX, with inputs a b c e and outputs d q, and then their types. A case is values of these types: numbers,
inf, nan (the one that the hardware gives), or :hex for bits. Every heading becomes a kernel, every case a thread of it.
"""
import pathlib
import re
import struct
import sys

INPUTS, OUTPUTS = 'abce', 'dq'
BITS = {f'{kind}{n}': n for kind in 'bus' for n in (8, 16, 32, 64)}
BITS |= {'f16': 16, 'bf16': 16, 'f32': 32, 'f64': 64, 'pred': 32}
NAN = {'f16': 0x7fff, 'bf16': 0x7fff, 'f32': 0x7fffffff, 'f64': 0xfff8000000000000}


def float_bits(text, type_):
    value = float(text)
    if type_ == 'f64':
        return struct.unpack('<Q', struct.pack('<d', value))[0]
    if type_ == 'f32':
        return struct.unpack('<I', struct.pack('<f', value))[0]
    if type_ == 'f16':
        return struct.unpack('<H', struct.pack('<e', value))[0]
    bits = struct.unpack('<I', struct.pack('<f', value))[0]
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16 if value - value == 0 else bits >> 16


def value_bits(text, type_):
    if text.startswith(':'):
        return int(text[1:], 16)
    if type_ in NAN:
        return NAN[type_] if text == 'nan' else float_bits(text, type_)
    return int(text, 0) & (1 << BITS[type_]) - 1


def read(path):
    """(PTX, input types, output types, cases) of each heading."""
    headings = []
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith('#'):
            continue
        if line[0].isspace():
            given, expected = line.split('->')
            headings[-1][3].append((given.split(), expected.split()))
        else:
            code, types = line.rsplit(';', 1)
            given, expected = types.split('->')
            headings.append((code + ';', given.split(), expected.split(), []))
    return headings


def register_bits(type_):
    return max(BITS[type_], 16)


def kernel(name, code, inputs, outputs):
    """Thread i reads its inputs, 8 bytes each, and writes its outputs, 8 bytes each."""
    operands = [*zip(INPUTS, inputs), *zip(OUTPUTS, outputs)]
    lines = [f'.visible .entry {name}(.param .u64 p_in, .param .u64 p_out)', '{', '.reg .b64 %at, %in, %out;',
             '.reg .b32 %thread;']
    for letter, type_ in operands:
        lines.append(f'.reg .b{register_bits(type_)} %{letter};')
        if type_ == 'pred':
            lines.append(f'.reg .pred %p{letter};')
    lines += ['ld.param.u64 %in, [p_in];', 'ld.param.u64 %out, [p_out];', 'cvta.to.global.u64 %in, %in;',
              'cvta.to.global.u64 %out, %out;', 'mov.u32 %thread, %tid.x;',
              f'mul.wide.u32 %at, %thread, {8 * len(inputs)};', 'add.s64 %in, %in, %at;',
              f'mul.wide.u32 %at, %thread, {8 * len(outputs)};', 'add.s64 %out, %out, %at;']
    for k, (letter, type_) in enumerate(zip(INPUTS, inputs)):
        lines.append(f'ld.global.b{register_bits(type_)} %{letter}, [%in+{8 * k}];')
        if type_ == 'pred':
            lines.append(f'setp.ne.b32 %p{letter}, %{letter}, 0;')
    predicates = {letter for letter, type_ in operands if type_ == 'pred'}
    used = f'[{INPUTS[:len(inputs)]}{OUTPUTS[:len(outputs)]}]'
    lines.append(re.sub(rf'(?<![\w.]){used}(?!\w)', lambda m: f'%p{m[0]}' if m[0] in predicates else f'%{m[0]}', code))
    for k, (letter, type_) in enumerate(zip(OUTPUTS, outputs)):
        if type_ == 'pred':
            lines.append(f'selp.b32 %{letter}, 1, 0, %p{letter};')
        lines.append(f'st.global.b{register_bits(type_)} [%out+{8 * k}], %{letter};')
    return lines + ['ret;', '}']


def main(ptx_path, expected_path, *tables):
    ptx = ['.version 9.0', '.target sm_90', '.address_size 64']
    expected = []
    for path in map(pathlib.Path, tables):
        for k, (code, inputs, outputs, cases) in enumerate(read(path)):
            name = f'{path.stem}_{k}'
            ptx += kernel(name, code, inputs, outputs)
            expected.append(f'{name} {len(inputs)} {len(outputs)} {len(cases)} {code}')
            for given, wanted in cases:
                pairs = [*zip(given, inputs, strict=True), *zip(wanted, outputs, strict=True)]
                values = [f'{value_bits(v, t):x}' for v, t in pairs]
                sizes = [str(BITS[t]) for t in outputs]
                expected.append(' '.join(values + sizes + [' '.join(given), '->', ' '.join(wanted)]))
    pathlib.Path(ptx_path).write_text('\n'.join(ptx) + '\n')
    pathlib.Path(expected_path).write_text('\n'.join(expected) + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
