"""From PTX to C++: lexer, then one function at a time (function, instructions), then the emitter.

Each kernel becomes one C++ function that every emulated thread runs. Registers become local variables that hold raw
bits, labels and branches become labels and gotos, and each instruction becomes one statement in terms of
runtime/ptx/*.h.
"""
