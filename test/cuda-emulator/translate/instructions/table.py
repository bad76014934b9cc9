"""The table of opcodes. Each says which modifiers, types and numbers of operands it takes; anything else is refused
before the opcode's own code sees it.
"""
import dataclasses
import re

from ..errors import Unsupported
from ..types import TYPES

# Hints about caches, which change nothing that can be seen here.
_HINT = re.compile(r'\.(L1::(no_allocate|evict_\w+)|L2::(64B|128B|256B|evict_\w+))')


@dataclasses.dataclass
class Instruction:
    opcode: str
    modifiers: list
    types: list
    operands: list
    text: str  # with all modifiers

    @property
    def type(self):
        return self.types[-1] if self.types else None

    def has(self, modifier):
        return modifier in self.modifiers

    def one_of(self, *choices, otherwise=None):
        """The modifier that is one of the choices."""
        found = [m for m in self.modifiers if m in choices]
        if len(found) > 1 or (not found and otherwise is None):
            raise Unsupported(f'{self.text}: one of {", ".join(choices)}')
        return found[0] if found else otherwise


@dataclasses.dataclass
class Entry:
    translate: object
    modifiers: frozenset
    types: frozenset
    operands: tuple


_table = {}


def opcode(names, types='', modifiers='', operands=()):
    """Marks the function that translates these opcodes: f(function, instruction) -> a C++ statement."""
    counts = (operands,) if isinstance(operands, int) else tuple(operands)

    def mark(translate_one):
        for name in names.split():
            _table[name] = Entry(translate_one, frozenset(modifiers.split()), frozenset(types.split()), counts)
        return translate_one

    return mark


def translate(function, text, operands):
    instruction = _parse(text, operands)
    entry = _table.get(instruction.opcode)
    if not entry:
        raise Unsupported(f'unknown opcode {text}')
    if unknown := [m for m in instruction.modifiers if m not in entry.modifiers]:
        raise Unsupported(f'unknown modifier {", ".join(unknown)} in {text}')
    if unknown := [t for t in instruction.types if t not in entry.types]:
        raise Unsupported(f'type {", ".join(unknown)} in {text}')
    if len(instruction.operands) not in entry.operands:
        raise Unsupported(f'{len(instruction.operands)} operands of {text}')
    return instruction, entry.translate(function, instruction)


def _parse(text, operands):
    plain = _HINT.sub('', text).replace('::cta', '')
    if '.L2::cache_hint' in plain:  # its last operand is the cache policy
        plain, operands = plain.replace('.L2::cache_hint', ''), operands[:-1]
    name, *parts = plain.split('.')
    return Instruction(name, [p for p in parts if p not in TYPES], [p for p in parts if p in TYPES], operands, plain)
