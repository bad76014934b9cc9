"""One PTX function: its names, and how its operands read as C++."""
import dataclasses
import re

from .errors import Unsupported
from .fused_loads import FusedLoads
from .lexer import elements
from .types import BYTES, CPP, FLOATS, REGISTER

_AXES = 'xyz'
SPECIAL = {f'%{name}.{axis}': f'self->{name}.{axis}' for name in ('tid', 'ctaid', 'ntid', 'nctaid') for axis in _AXES}
SPECIAL |= {
    '%laneid': 'self->lane', '%warpid': 'self->warp', '%nwarpid': '32u', 'WARP_SZ': '32u',
    '%lanemask_lt': '((1u << self->lane) - 1)', '%lanemask_le': '(~0u >> (31 - self->lane))',
    '%lanemask_eq': '(1u << self->lane)', '%lanemask_ge': '(~0u << self->lane)', '%lanemask_gt': '(~1u << self->lane)',
    '%smid': '0u', '%nsmid': '4u', '%gridid': '0u',
    '%clock': 'clock_ticks()', '%clock64': 'clock_ticks()', '%globaltimer': 'clock_ticks()',
    '%dynamic_smem_size': 'dynamic_shared_size()', '%total_smem_size': 'shared_size()',
}

_FLOAT = re.compile(r'(-?)0[fF]([0-9a-fA-F]{8})')
_DOUBLE = re.compile(r'(-?)0[dD]([0-9a-fA-F]{16})')
_INTEGER = re.compile(r'-?(0[xX][0-9a-fA-F]+|\d+)U?')
_ADDRESS = re.compile(r'\[\s*([^\s+\]]+)\s*(?:\+\s*(-?\w+))?\s*\]')


@dataclasses.dataclass
class Register:
    cpp: str
    type: str  # in C++


@dataclasses.dataclass
class Memory:
    """A named piece of memory: `cpp` is its address, an offset if it is shared."""
    cpp: str
    space: str


@dataclasses.dataclass
class Parameter:
    name: str
    offset: int
    size: int


class Function:
    def __init__(self, module, name, is_entry):
        self.module, self.name, self.is_entry = module, name, is_entry
        self.cpp = module.unique(name)
        self.parameters = []
        self.parameter_bytes = 0
        self.returns = False
        self.max_threads = 0
        self.scopes = [{}]
        self.registers = []  # Register
        self.buffers = []  # (name in C++, bytes)
        self.code = []
        self.blocks = [[]]  # the opcodes of each basic block
        self.branch_targets = {}
        self.static_shared = 0
        self.loads = FusedLoads(module.sites)

    # ---- names

    def declare_registers(self, type_, name, count):
        names = [f'{name}{k}' for k in range(count)] if count else [name]
        for ptx in names:
            register = Register(self.module.unique(ptx), 'bool' if type_ == 'pred' else REGISTER[BYTES[type_]])
            self.scopes[-1][ptx] = register
            self.registers.append(register)

    def declare_buffer(self, name, size, space):
        cpp = self.module.unique(name)
        self.buffers.append((cpp, max(size, 1)))
        self.scopes[-1][name] = Memory(f'u64({cpp})', space)

    def declare_shared(self, name, align, size):
        self.static_shared = (self.static_shared + align - 1) // align * align
        self.scopes[0][name] = Memory(f'u64({self.static_shared})', 'shared')
        self.static_shared += size

    def declare_parameters(self, parameters):
        """(name, alignment, size) of each: an entry reads them from one block P, other functions from a buffer each."""
        offset = 0
        for i, (name, align, size) in enumerate(parameters):
            offset = (offset + align - 1) // align * align
            self.parameters.append(Parameter(name, offset, size))
            self.scopes[0][name] = Memory(f'(u64(P) + {offset})' if self.is_entry else f'u64(A{i})', 'param')
            offset += size
        self.parameter_bytes = offset

    def lookup(self, name):
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in self.module.shared:  # at module scope: it has a place in each kernel that names it
            self.declare_shared(name, *self.module.shared[name])
            return self.scopes[0][name]
        if name in self.module.dynamic_shared:
            return Memory('u64(kStaticShared)', 'shared')
        if name in self.module.variables:
            return self.module.variables[name]
        raise Unsupported(f'unknown name {name}')

    def register(self, name):
        found = self.lookup(name)
        if not isinstance(found, Register):
            raise Unsupported(f'{name} is not a register')
        return found

    # ---- operands

    def value(self, operand, type_):
        """The operand as an expression of that type."""
        cpp = CPP[type_]
        if match := _FLOAT.fullmatch(operand):
            return f'{match[1]}as<{cpp}>(0x{match[2]}u)'
        if match := _DOUBLE.fullmatch(operand):
            return f'{match[1]}as<{cpp}>(u64(0x{match[2]}))'
        if _INTEGER.fullmatch(operand):
            bits = f'u64({operand.rstrip("U")})'
            return f'as<{cpp}>({bits})' if type_ in FLOATS else f'{cpp}({bits})'
        if operand in SPECIAL:
            return f'{cpp}({SPECIAL[operand]})'
        found = self.lookup(operand)
        return f'as<{cpp}>({found.cpp})' if isinstance(found, Register) else f'{cpp}({found.cpp})'

    def predicate(self, operand):
        if operand.startswith('!'):
            return '!' + self.predicate(operand[1:])
        if _INTEGER.fullmatch(operand):
            return 'true' if int(operand, 0) else 'false'
        return self.register(operand).cpp

    def is_predicate(self, operand):
        return operand.startswith('%') and self.register(operand).type == 'bool'

    def address(self, operand, space):
        """[name + offset] as an expression; of shared memory, as a generic address."""
        match = _ADDRESS.fullmatch(operand)
        if not match:
            raise Unsupported(f'address {operand}')
        base, offset = match[1], match[2] or '0'
        base = f'u64({base})' if base.isdigit() else f'u64({self.lookup(base).cpp})'
        sum_ = base if offset == '0' else f'({base} + s64({offset}))'
        return f'shared_address({sum_})' if space == 'shared' else sum_

    def buffer(self, name):
        """The bytes of a parameter, as a pointer."""
        found = self.lookup(name)
        if not isinstance(found, Memory):
            raise Unsupported(f'{name} is not a parameter')
        return f'(unsigned char*)({found.cpp})'

    # ---- results

    def assign(self, operand, type_, expression):
        if operand == '_':
            return f'(void)({expression});'
        register = self.register(operand)
        cpp = CPP[type_]
        if REGISTER[BYTES[type_]] == register.type and BYTES[type_] > 1:
            return f'{register.cpp} = raw<{cpp}>({expression});'
        sign = 's64' if cpp[0] == 's' else 'u64'  # the register is wider: extend as the type says
        return f'{register.cpp} = {register.type}({sign}(raw<{cpp}>({expression})));'

    def assign_predicate(self, operand, expression):
        return f'(void)({expression});' if operand == '_' else f'{self.register(operand).cpp} = {expression};'

    def assign_vector(self, operand, type_, expression):
        """Each register of {a, b, ...} from the expression, a format with {}."""
        return ' '.join(self.assign(r, type_, expression.format(i)) for i, r in enumerate(elements(operand)))

    # ---- code

    def site(self, what, count=1):
        """A number for this place in the source, which touches memory."""
        module = self.module
        return f'kFirstSite + {module.sites.add(module.location, module.caller, what, count)}'

    def label(self, name):
        return 'L' + re.sub(r'\W', '_', name)

    def start_block(self, label=None):
        self.blocks.append([])
        self.code.append((f'{label}: ' if label else '') + f'COUNT({len(self.blocks) - 1});')
