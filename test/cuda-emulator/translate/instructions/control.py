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
    return 'kernel_fault(719, "trap");'


@opcode('nanosleep', 'u32', '', 1)
def sleep(f, i):
    return 'yield_thread();'


@opcode('brkpt griddepcontrol', '', 'wait launch_dependents', 0)
def nothing(f, i):
    return ''


@opcode('call', '', 'uni', (1, 2, 3))
def call(f, i):
    returns = elements_of_list(i.operands[0]) if i.operands[0].startswith('(') else []
    name, *rest = i.operands[1 if returns or i.operands[0].startswith('(') else 0:]
    parameters = elements_of_list(rest[0]) if rest else []
    buffers = [f.buffer(p) for p in parameters]
    if name == 'vprintf':
        result = f'device_printf(as_stored<const char*>({buffers[0]}), as_stored<const unsigned char*>({buffers[1]}))'
        return f'store_bytes({f.buffer(returns[0])}, {result});'
    if name == '__assertfail':
        message, file, line = (f'as_stored<{t}>({b})' for t, b in zip(('const char*', 'const char*', 'u32'), buffers))
        return f'device_assert({message}, {file}, {line});'
    if name not in f.module.functions:
        raise Unsupported(f'call of {name}')
    return f'{f.module.functions[name]}({", ".join([f.buffer(r) for r in returns] + buffers)});'


def elements_of_list(text):
    return split_list(text.strip('() '))
