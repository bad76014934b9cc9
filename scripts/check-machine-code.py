#!/usr/bin/env python3
"""Holds the CUDA library's machine code against the rules of test/cuda/machine-code.json, for every GPU it has code for.

Usage: check-machine-code.py [LIBRARY] [--report]   (default: build/Release's, else that of prebuilds/linux-x64)
--report prints what was found of each kernel. Needs cuobjdump of CUDA 13 or newer: $CUOBJDUMP, or beside $NVDISASM, or on
the PATH; where there is none, one line says so. ptxas has made errors of spills and local memory by then, at compile time.
"""
import bisect
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / 'test/cuda/machine-code.json'

# Of a multiprocessor: registers, and by GPU threads, blocks, and bytes of shared memory (CUDA's programming guide, technical
# specifications per compute capability).
REGISTERS = 65536
LIMITS = {75: (1024, 16, 64), 80: (2048, 32, 164), 86: (1536, 16, 100), 89: (1536, 24, 100), 90: (2048, 32, 228),
          100: (2048, 32, 228), 120: (1536, 24, 100)}
RESERVED_SHARED = 1024  # of each block, from sm_80 on
# .nv.info's attributes; NVIDIA has not published them, `cuobjdump -elf` names them.
MAX_THREADS, FRAME_SIZE, REGISTER_COUNT = 0x05, 0x11, 0x2F


def fail(message):
    sys.exit(f'check-machine-code: {message}')


def find_cuobjdump():
    nvdisasm = os.environ.get('NVDISASM')
    for path in (os.environ.get('CUOBJDUMP'), nvdisasm and Path(nvdisasm).with_name('cuobjdump'), shutil.which('cuobjdump')):
        if path and os.access(path, os.X_OK):
            return str(path)
    return None


def attributes(data):
    """Attribute and value of each record of a .nv.info section: format, attribute, size or a value of 16 bits."""
    at = 0
    while at + 4 <= len(data):
        form, attribute, size = struct.unpack_from('<BBH', data, at)
        at += 4
        if form == 4:
            yield attribute, data[at:at + size]
            at += size


def read_resources(cubin):
    """Of each kernel: registers, bytes of stack, most threads of a block, bytes of static shared memory."""
    elf = cubin.read_bytes()
    start, = struct.unpack_from('<Q', elf, 0x28)
    size, count, names_index = struct.unpack_from('<HHH', elf, 0x3A)
    headers = [struct.unpack_from('<IIQQQQIIQQ', elf, start + i * size) for i in range(count)]

    def text(table, at):
        return elf[headers[table][4] + at:].split(b'\0', 1)[0].decode()

    sections = {text(names_index, h[0]): h for h in headers}
    symbols = sections['.symtab']

    def content(name):
        h = sections.get(name)
        return elf[h[4]:h[4] + h[5]] if h else b''

    by_symbol = {}
    for attribute, value in attributes(content('.nv.info')):
        if attribute in (FRAME_SIZE, REGISTER_COUNT):
            symbol, number = struct.unpack('<II', value)
            name = text(symbols[6], struct.unpack_from('<I', elf, symbols[4] + 24 * symbol)[0])
            by_symbol.setdefault(name, {})[attribute] = number
    kernels = {}
    for name in (s.removeprefix('.text.') for s in sections if s.startswith('.text.')):
        threads = [struct.unpack('<III', v) for a, v in attributes(content(f'.nv.info.{name}')) if a == MAX_THREADS]
        x, y, z = threads[0] if threads else (1024, 1, 1)
        shared = sections.get(f'.nv.shared.{name}')
        found = by_symbol[name]
        kernels[name] = {'registers': found[REGISTER_COUNT], 'stack': found[FRAME_SIZE], 'threads': x * y * z,
                         'shared': shared[5] if shared else 0}
    return kernels


def blocks_per_multiprocessor(gpu, kernel):
    """How many blocks fit; 0 where a launch would fail."""
    threads, blocks, kilobytes = LIMITS[gpu]
    warps = -(-kernel['threads'] // 32)
    registers = -(-kernel['registers'] // 8) * 8 * 32 * warps
    # From sm_90 on the section has the reserved bytes already.
    shared = kernel['shared'] + (RESERVED_SHARED if 80 <= gpu < 90 else 0)
    return min(REGISTERS // registers, threads // (32 * warps), blocks, kilobytes * 1024 // shared if shared else blocks)


def read_instructions(sass):
    """Of each kernel: (address, instruction) in order, without its predicate."""
    kernels, code = {}, None
    for line in sass.splitlines():
        if (start := re.match(r'\s*Function : (\S+)', line)):
            code = kernels.setdefault(start[1], [])
        elif (found := re.match(r'\s+/\*([0-9a-f]{4,})\*/\s+(?:\{\s*)?(?:@(!?U?P\w+)\s+)?([^;]+);', line)) and found[2] != '!PT':
            code.append((int(found[1], 16), found[3].strip()))
    return kernels


def count_opcodes(instructions):
    """How often each opcode occurs; accesses to memory by their width in bits too, such as LDG.128."""
    counts = {}
    for instruction in instructions:
        opcode = instruction.split()[0]
        base = opcode.split('.')[0]
        names = [base]
        if base in ('LD', 'ST', 'LDG', 'STG', 'LDS', 'STS', 'LDGSTS'):
            width = re.search(r'\.[US]?(8|16|64|128|256)(?=\.|$)', opcode)
            names.append(f'{base}.{width[1] if width else 32}')
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return counts


def main_loop(code):
    """The instructions of the innermost loop with the most arithmetic: between a branch back and its target."""
    addresses = [address for address, _ in code]
    back = []
    for address, instruction in code:
        target = re.match(r'BRA\S*\s.*?(0x[0-9a-f]+)\s*$', instruction)
        if target and int(target[1], 16) < address:
            back.append((int(target[1], 16), address))
    best, most = [], 0
    for low, high in back:
        if any((low, high) != other and low <= other[0] and other[1] <= high for other in back):
            continue
        body = [i for _, i in code[bisect.bisect_left(addresses, low):bisect.bisect_right(addresses, high)]]
        work = sum(i.startswith(('FFMA', 'DFMA', 'HMMA')) for i in body)
        if work > most:
            best, most = body, work
    return best


def short_name(name, enumerators):
    """logits_kernel<float, fma> of a mangled name."""
    plain = subprocess.run(['c++filt', name], capture_output=True, text=True, check=True).stdout.removeprefix('void ')
    plain = re.sub(r'\(anonymous namespace\)::|sampled_softmax::(cuda::)?', '', plain).replace('> >', '>>')
    for number, enumerator in enumerators.items():
        plain = plain.replace(number, enumerator)
    depth = 0
    for at, letter in enumerate(plain):
        depth += (letter == '<') - (letter == '>')
        if letter == '(' and depth == 0:
            return plain[:at]
    return plain.strip()


def read_cubin(cuobjdump, cubin, enumerators):
    gpu = int(re.search(r'\.sm_(\d+)\w*\.cubin$', cubin.name)[1])
    sass = subprocess.run([cuobjdump, '-sass', cubin], capture_output=True, text=True, check=True).stdout
    code = read_instructions(sass)
    kernels = {}
    for name, resources in read_resources(cubin).items():
        instructions = [i for _, i in code[name]]
        if not instructions:
            fail(f'{cuobjdump} shows no instruction of {name} in {cubin.name}')
        loop = main_loop(code[name])
        blocks = blocks_per_multiprocessor(gpu, resources)
        key = short_name(name, enumerators), gpu
        if key in kernels:
            fail(f'two kernels of {cubin.name} are called {key[0]}')
        kernels[key] = {
            **resources, 'blocks': blocks, 'resident': blocks * resources['threads'], 'all': len(instructions), 'loop': len(loop),
            **count_opcodes(instructions), **{f'loop.{k}': n for k, n in count_opcodes(loop).items()}}
    return kernels


def holds(kernel, quantity, rule):
    """Whether `quantity`, a name or a quotient of two ('loop.FFMA / loop.LDS'), is as `rule` ('>= 16') wants it; and its value."""
    terms = [kernel.get(term.strip(), 0) for term in quantity.split('/')]
    value = terms[0] if len(terms) == 1 else terms[0] / max(terms[1], 1)
    comparison, bound = re.fullmatch(r'(<=|>=|=)\s*([\d.]+)', rule).groups()
    return {'<=': value <= float(bound), '>=': value >= float(bound), '=': value == float(bound)}[comparison], value


def main():
    arguments = [a for a in sys.argv[1:] if a != '--report']
    candidates = [ROOT / folder / 'libsampled_softmax_cuda.so' for folder in ('build/Release', 'prebuilds/linux-x64')]
    library = Path(arguments[0]) if arguments else next((c for c in candidates if c.exists()), None)
    if library is None:
        print('check-machine-code: no CUDA library has been built, so there is nothing to check')
        return
    rules = json.loads(RULES.read_text())
    cuobjdump = find_cuobjdump()
    if cuobjdump is None:
        print(f'check-machine-code: {RULES.relative_to(ROOT)} is not checked:'
              ' there is no cuobjdump on the PATH, in CUOBJDUMP, or beside NVDISASM')
        return
    kernels = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        subprocess.run([cuobjdump, '-xelf', 'all', library.resolve()], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        cubins = sorted(Path(folder).glob('*.cubin'))
        for found in pool.map(lambda cubin: read_cubin(cuobjdump, cubin, rules['enumerators']), cubins):
            kernels.update(found)
    if not kernels:
        fail(f'{library} has no kernel')

    if '--report' in sys.argv:
        for (name, gpu), kernel in sorted(kernels.items()):
            shown = re.compile(r'[a-z]+$|(LD|ST)\w*\.\d|LDL|STL|loop\.([FD]FMA|HMMA|LDS|MUFU)$')
            print(f'{name} sm_{gpu}:', *(f'{k} {n}' for k, n in kernel.items() if n and shown.match(k)))
    broken = 0
    for rule in rules['rules']:
        for pattern in rule['kernels']:
            expression = re.compile(re.escape(pattern).replace(r'\*', '.*'))
            met = {gpu: [] for gpu in rule.get('gpus', LIMITS)}
            for (name, gpu), kernel in kernels.items():
                if gpu in met and expression.fullmatch(name):
                    met[gpu].append((name, kernel))
            lacking = [gpu for gpu, found in met.items() if not found]
            if lacking:
                print(f'no kernel like {pattern} for sm {lacking}: the rule is out of date', file=sys.stderr)
                broken += 1
            for gpu, name, kernel in ((gpu, *found) for gpu in met for found in met[gpu]):
                for quantity, wanted in rule['wanted'].items():
                    good, value = holds(kernel, quantity, wanted)
                    if not good:
                        print(f'{name} for sm_{gpu}: {quantity} is {value:g}, wanted {wanted}:', rule['why'], file=sys.stderr)
                        broken += 1
    if broken:
        fail(f'{broken} rules broken')
    print(f"{library}: {len(kernels)} kernels on {len({gpu for _, gpu in kernels})} GPUs, {len(rules['rules'])} rules hold")


main()
