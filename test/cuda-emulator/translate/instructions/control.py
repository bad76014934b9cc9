"""Branches, calls, and the end of a thread."""
from ..errors import Unsupported
from ..lexer import split_list
from .table import opcode


@opcode('bra', '', 'uni', 1)
def branch(f, i):
    return f'goto {f.label(i.operands[0])};'


@opcode('brx', '', 'idx uni', 2)
def branch_by_index(f, i):
    index, targets = i.operands
    if targets not in f.branch_targets:
        raise Unsupported(f'{i.text}: no .branchtargets {targets}')
    cases = ' '.join(f'case {k}: goto {f.label(t)};' for k, t in enumerate(f.branch_targets[targets]))
    return f'switch ({f.value(index, "u32")}) {{ {cases} }}'


@opcode('ret', '', 'uni', 0)
def return_(f, i):
    return 'return;'


@opcode('exit', '', '', 0)
def exit_(f, i):
    return 'return;' if f.is_entry else 'exit_thread();'


@opcode('trap', '', '', 0)
def trap(f, i):
    return 'kernel_fault(kLaunchFailure, "trap");'


@opcode('nanosleep', 'u32', '', 1)
def sleep(f, i):
    return 'yield_thread();'


@opcode('brkpt griddepcontrol', '', 'wait launch_dependents', 0)
def nothing(f, i):
    return ''


@opcode('call', '', 'uni', (1, 2, 3))
def call(f, i):
    operands = list(i.operands)
    returns = listed(operands.pop(0)) if operands[0].startswith('(') else []
    name = operands.pop(0)
    arguments = [f.buffer(p) for p in listed(operands.pop(0))] if operands else []
    if name == 'vprintf':
        return f'store_bytes({f.buffer(returns[0])}, device_printf({stored("const char*", arguments[0])}, ' \
               f'{stored("const unsigned char*", arguments[1])}));'
    if name == '__assertfail':
        message, file, line, *_ = arguments
        return f'device_assert({stored("const char*", message)}, {stored("const char*", file)}, {stored("u32", line)});'
    if name not in f.module.functions or operands:
        raise Unsupported(f'call of {name}')
    return f'{f.module.functions[name]}({", ".join([f.buffer(r) for r in returns] + arguments)});'


def listed(text):
    return split_list(text.strip('() '))


def stored(type_, buffer):
    return f'as_stored<{type_}>({buffer})'
