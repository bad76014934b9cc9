"""Instructions by family. Importing this package fills the table of opcodes."""
from . import arithmetic, bits, compare, control, convert, functions, memory, tensor, warp  # noqa: F401
from .table import translate  # noqa: F401
