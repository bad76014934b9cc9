"""ptxas fuses loads of 4 bytes from neighbouring shared addresses into one of 8 or 16. So that wavefronts are counted
as the machine makes them, the same is done here to the places that are counted: the one of the lowest address stands
for all of a fused group.

Only in straight code: whatever may change the memory or the base register ends a group.
"""


class FusedLoads:
    def __init__(self, sites):
        self.sites = sites
        self.groups = {}  # (base register, 16-byte line) -> {offset in it: number of the site}

    def add(self, base, offset, site, written):
        self.groups.setdefault((base, offset // 16), {})[offset % 16] = site
        self.overwritten(written)

    def overwritten(self, registers):
        for key in [key for key in self.groups if key[0] in registers]:
            self._fuse(self.groups.pop(key))

    def finish(self):
        for group in self.groups.values():
            self._fuse(group)
        self.groups.clear()

    def _fuse(self, group):
        for first, count in ((0, 4), (0, 2), (8, 2)):
            sites = [group.get(first + 4 * i) for i in range(count)]
            if None in sites:
                continue
            for site in sites:
                self.sites.table[site].merge = count if site == sites[0] else 0
            if count == 4:
                break
