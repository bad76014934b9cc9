#!/usr/bin/env python3
"""ptx2cpp.py IN.ptx OUT.cc - translates nvcc's PTX into C++ that runs on the emulator's runtime.

What is not understood stops the translation with its line: nothing is guessed. Compile OUT.cc with -DCUEMU_CHECK=1 to
have every access of the kernels checked.
"""
import pathlib
import sys

from translate.emitter import emit
from translate.errors import Unsupported
from translate.module import Module


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    source, target = map(pathlib.Path, arguments)
    module = Module()
    problems = module.read(source.read_text())
    if problems:
        sys.exit(f'ptx2cpp: {source} is not translated:\n' + '\n'.join(problems))
    try:
        target.write_text(emit(module, source.name))
    except Unsupported as e:
        sys.exit(f'ptx2cpp: {source} is not translated: {e}')


if __name__ == '__main__':
    main(sys.argv[1:])
