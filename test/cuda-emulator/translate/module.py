"""Reads a PTX file: declarations, functions, and their statements in order."""
import math
import re

from .errors import Unsupported
from .function import Function, Memory
from .instructions import translate
from .lexer import split_list, statements
from .sites import Sites
from .types import BYTES

_VARIABLE = re.compile(r'(?:\.(?:visible|weak|extern|common) )*\.(global|const|shared|local) (?:\.attribute\([^)]*\) )?'
                       r'(?:\.align (\d+) )?\.(\w+) ([\w$%.]+)((?:\[\d*\])*)(?: ?= ?(.*))?', re.S)
_PARAMETER = re.compile(r'\.param (?:\.align (\d+) )?\.(\w+)(?: \.ptr[\w. ]*)? ([\w$%]+)(?:\[(\d+)\])?')
_HEADER = re.compile(r'\.(entry|func)\b ?(?:\(([^)]*)\))? ?([\w$]+) ?(?:\((.*)\))?')
_INSTRUCTION = re.compile(r'(?:@(!?)([\w$%]+) )?([\w.:]+)(?: (.*))?', re.S)
_ENDS_FUSION = ('bar', 'barrier', 'bra', 'brx', 'ret', 'atom', 'red', 'call')


class Module:
    def __init__(self):
        self.functions = {}  # PTX name -> C++ name, of functions that are no kernels
        self.defined = []  # Function, with a body
        self.variables = {}  # PTX name -> Memory
        self.initialized = []  # (C++ name, PTX name, type, size, initializer)
        self.shared = {}  # at module scope: name -> (alignment, size)
        self.dynamic_shared = set()
        self.sites = Sites()
        self.files = {}
        self.location = ('0', 0)  # the number of the file, and the line
        self.caller = ('0', 0)  # of the function that this is a line of, where it is inlined
        self._names = 0
        self._function = None
        self._head = None  # a function whose body may follow
        self._last_label = None
        self._depth = 0

    def unique(self, name):
        self._names += 1
        return f'{re.sub(r"[^A-Za-z0-9_]", "", name)[:40]}_{self._names}'

    def read(self, text):
        """Returns what could not be translated, each with its line."""
        problems = []
        for s in statements(text):
            try:
                getattr(self, f'_{s.kind}')(s.text)
            except (Unsupported, LookupError, TypeError, ValueError) as e:
                problems.append(f'line {s.line}: {type(e).__name__}: {e}\n    {s.text[:160]}')
        return problems

    # ---- by kind of statement

    def _open(self, _):
        self._depth += 1
        if self._head:
            self._function, self._head = self._head, None
            self.defined.append(self._function)
        elif self._function:
            self._function.scopes.append({})

    def _close(self, _):
        self._depth -= 1
        if not self._function:
            return
        if self._depth == 0:
            self._function.loads.finish()
            self._function = None
        else:
            self._function.scopes.pop()

    def _label(self, text):
        f = self._function
        name = text.rstrip(': ')
        self._last_label = name
        f.loads.finish()
        f.start_block(f.label(name))

    def _directive(self, text):
        name, *rest = text.split()
        if name == '.loc':
            self.location = (rest[0], int(rest[1]))
            caller = rest[rest.index('inlined_at') + 1:] if 'inlined_at' in rest else ('0', 0)
            self.caller = (caller[0], int(caller[1]))
        elif name == '.file':
            self.files[rest[0]] = re.search(r'"([^"]*)"', text)[1]
        elif name in ('.maxntid', '.reqntid'):
            self._head.max_threads = math.prod(int(n) for n in re.findall(r'\d+', text))

    def _header(self, text):
        kind, returns, name, parameters = _HEADER.search(text).groups()
        f = Function(self, name, kind == 'entry')
        if kind == 'func':
            if '.extern' in text:  # vprintf and the like
                return
            f.cpp = self.functions.setdefault(name, f.cpp)  # it may have been declared before
            if returns and returns.strip():
                f.returns = True
                f.scopes[0][_parameter(returns.strip())[0]] = Memory('u64(R)', 'param')
        f.declare_parameters([_parameter(p) for p in split_list(parameters or '')])
        self._head = f

    def _declaration(self, text):
        f = self._function
        if text.startswith('.pragma'):
            return
        if text.startswith('.branchtargets'):
            f.branch_targets[self._last_label] = split_list(text.split(None, 1)[1])
        elif text.startswith('.reg'):
            _, type_, names = text.split(None, 2)
            for name in split_list(names):
                match = re.fullmatch(r'([\w$%]+)(?:<(\d+)>)?', name)
                f.declare_registers(type_[1:], match[1], int(match[2] or 0))
        elif text.startswith('.param'):
            name, _, size = _parameter(text)
            f.declare_buffer(name, size, 'param')
        else:
            self._variable(text)

    def _variable(self, text):
        match = _VARIABLE.fullmatch(text)
        if not match:
            raise Unsupported(f'declaration {text[:80]}')
        space, align, type_, name, dimensions, initializer = match.groups()
        align = int(align or BYTES[type_])
        size = BYTES[type_] * math.prod(int(n or 0) for n in re.findall(r'\[(\d*)\]', dimensions))
        f = self._function
        if space == 'shared':
            if not size or '.extern' in text:
                self.dynamic_shared.add(name)
            elif f:
                f.declare_shared(name, align, size)
            else:
                self.shared[name] = (align, size)
        elif space == 'local':
            f.declare_buffer(name, size, 'local')
        else:
            cpp = self.unique(name)
            self.variables[name] = Memory(f'u64({cpp})', space)
            self.initialized.append((cpp, name, type_, size, initializer))

    def _instruction(self, text):
        f = self._function
        match = _INSTRUCTION.fullmatch(text)
        if not match or not f:
            raise Unsupported('statement')
        negated, guard, name, operands = match.groups()
        operands = split_list(operands or '')
        instruction, code = translate(f, name, operands)
        f.blocks[-1].append(instruction.text)
        self._keep_fusion_right(f, instruction)
        f.code.append(f'if ({negated}{f.register(guard).cpp}) {{ {code} }}' if guard else code)
        if instruction.opcode == 'bra' and guard:
            f.start_block()

    @staticmethod
    def _keep_fusion_right(f, i):
        if i.opcode in _ENDS_FUSION or i.text.startswith(('st.shared', 'cp.async')):
            f.loads.finish()
        elif i.operands and i.opcode != 'ld':
            f.loads.overwritten(i.operands[:1])


def _parameter(text):
    match = _PARAMETER.fullmatch(text)
    if not match:
        raise Unsupported(f'parameter {text}')
    align, type_, name, count = match.groups()
    return name, int(align or BYTES[type_]), BYTES[type_] * int(count or 1)
