"""The places in the source that touch memory (struct Site in runtime/kernel.h)."""
import dataclasses


@dataclasses.dataclass
class Site:
    location: tuple  # (number of the file, line)
    what: str
    merge: int = 1


class Sites:
    def __init__(self):
        self.table = []

    def add(self, location, what, count=1):
        first = len(self.table)
        self.table += [Site(location, what) for _ in range(count)]
        return first
