"""The places in the source that touch memory (struct Site in runtime/kernel.h)."""
import dataclasses


@dataclasses.dataclass
class Site:
    location: tuple  # (number of the file, line)
    caller: tuple  # the same of where the function is called that is inlined here; ('0', 0) if none is
    what: str
    merge: int = 1


class Sites:
    def __init__(self):
        self.table = []

    def add(self, location, caller, what, count=1):
        first = len(self.table)
        self.table += [Site(location, caller, what) for _ in range(count)]
        return first
