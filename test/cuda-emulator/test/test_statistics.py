#!/usr/bin/env python3
"""test_statistics.py KERNELS.json TRAFFIC.json - the counted work of test_kernels and of test_traffic against what a look
at their kernels says."""
import json
import os
import sys

passed = failed = 0


def check(what, got, wanted):
    global passed, failed
    right = got == wanted
    passed, failed = passed + right, failed + (not right)
    if not right:
        print(f'FAIL {what}: {got}, not {wanted}')


def read(path):
    """A function that finds a kernel by a part of its name, one that was launched unless said otherwise."""
    kernels = json.load(open(path))
    return lambda part, launched=True: next(k for k in kernels if part in k['kernel'] and bool(k['launches']) == launched)


def main(kernels, traffic):
    check_kernels(read(kernels))
    check_traffic(read(traffic))
    print(f'statistics: {passed} passed, {failed} failed')
    return failed != 0


def check_kernels(find):
    # 37 rows of 4, 100 and 1024 floats: three launches of 5 blocks of 256 threads, 5 shuffles of two values a row
    k = find('log_sum_exp')
    check('launches', k['launches'], 3)
    check('threads', k['threads'], 3 * 5 * 256)
    check('collectives', k['collectives'], 3 * 37 * 10)
    # sectors of 32 bytes, of all rows together
    check('bytes read', k['read'], 32 * sum((37 * row + 31) // 32 for row in (16, 400, 4096)))
    check('wavefronts', k['wavefronts'], 0)

    # strided or not, each element is read once; strided, hardly two neighbours of a warp share a sector
    near, far = find('histogramILb0'), find('histogramILb1')
    check('bytes read', near['read'], far['read'])
    check('strided is worse', far['sectors'] > 2 * near['sectors'], True)
    check('barriers', near['barriers'], 4 * 2)

    # 64 x 128 x 96: 2 blocks, 3 steps of K, each 2 x 2 x 4 products for each of 4 warps
    k = find('product_bf16')
    check('mma', sum(n for op, n in k['ops'].items() if op.startswith('mma')), 2 * 3 * 2 * 8 * 128)
    check('cp.async', k['ops']['cp.async.cg.shared.global'], 2 * 3 * 512)
    check('written', k['written'], 64 * 128 * 4)
    check('no bank conflicts', k['wavefronts'], k['ideal_wavefronts'])

    # the sites are the same counts once more
    for space, unit in (('global', 'sectors'), ('shared', 'wavefronts')):
        sites = [site for site in k['sites'] if site['space'] == space]
        check(f'{unit} of sites', sum(site['units'] for site in sites), k[unit])
        check(f'ideal {unit} of sites', sum(site['ideal'] for site in sites), k[f'ideal_{unit}'])
    # two calls of one function, which is inlined
    copies = [site for site in k['sites'] if (site['what'], site['space']) == ('cp.async.cg.shared.global', 'global')]
    check('calls', len(copies), 2)
    for site in copies:
        check('what is called', 'cp.async.cg.shared.global' in line_of(site['file'], site['line']), True)
        check('what calls', 'cp_async_16(to' in line_of(site['caller_file'], site['caller_line']), True)


def line_of(file, number):
    with open(f'{os.path.dirname(os.path.abspath(__file__))}/kernels/{file}') as lines:
        return lines.read().splitlines()[number - 1]


# Of one warp: the kernel, which access, and requests, lanes, units (sectors or wavefronts) and the fewest possible.
TRAFFIC = (
    ('copy_eachIf', 'global read', 1, 32, 4, 4),
    ('copy_eachIf', 'global write', 1, 32, 4, 4),
    ('copy_eachId', 'global read', 1, 32, 8, 8),
    ('copy_eachI6float4', 'global read', 1, 32, 16, 16),
    ('copy_eachI6float4', 'global write', 1, 32, 16, 16),
    ('copy_every_otherId', 'global read', 1, 32, 16, 8),
    ('copy_every_otherI6float4', 'global read', 1, 32, 32, 16),
    ('copy_shifted', 'global read', 1, 32, 5, 4),
    ('copy_shifted', 'global write', 1, 32, 5, 4),
    ('copy_same', 'global read', 1, 32, 1, 1),
    ('copy_few', 'global read', 1, 12, 3, 3),
    ('write_to_host', 'global write', 1, 32, 4, 4),  # that to the host is not counted
    ('store_sharedIfLi1E', 'shared write', 1, 32, 1, 1),
    ('store_sharedIfLi1E', 'shared read', 1, 32, 1, 1),
    ('store_sharedIfLi2E', 'shared write', 1, 32, 2, 1),
    ('store_sharedIfLi32E', 'shared read', 1, 32, 32, 1),
    ('store_sharedIdLi1E', 'shared write', 1, 32, 2, 2),
    ('store_sharedIdLi2E', 'shared read', 1, 32, 4, 2),
    ('store_sharedI6float4Li1ELj4294967295E', 'shared write', 1, 32, 4, 4),
    ('store_sharedI6float4Li4E', 'shared write', 1, 32, 16, 4),
    ('store_sharedI6float4Li5E', 'shared read', 1, 32, 4, 4),
    ('store_sharedI6float4Li1ELj4095E', 'shared write', 1, 12, 2, 2),
    ('store_sharedI6float4Li1ELj16843009E', 'shared read', 1, 4, 4, 1),  # a lane of each quarter of the warp
    ('load_same', 'shared read', 1, 32, 1, 1),
    ('load_neighbours', 'shared read', 1, 32, 4, 4),  # four loads that are one in machine code
    ('copy_asyncILi0E', 'global read', 1, 32, 16, 16),
    ('copy_asyncILi0E', 'shared write', 1, 32, 4, 4),
    ('copy_asyncILi8E', 'global read', 1, 32, 16, 8),
    ('copy_asyncILi8E', 'shared write', 1, 32, 4, 4),
    ('copy_asyncILi12E', 'global read', 1, 32, 16, 16),
    ('copy_asyncILi1E', 'global read', 1, 32, 16, 16),
    ('load_matricesILi8E', 'shared read', 1, 32, 4, 4),
    ('load_matricesILi24E', 'shared read', 1, 32, 4, 4),
    ('load_matricesILi32E', 'shared read', 1, 32, 16, 4),
    ('load_one_matrix', 'shared read', 1, 8, 1, 1),
)


def check_traffic(find):
    for kernel, access, *wanted in TRAFFIC:
        sites = [site for site in find(kernel)['sites'] if f'{site["space"]} {site["access"]}' == access]
        check(f'{kernel}: {access}',
              [[site[key] for key in ('requests', 'lanes', 'units', 'ideal')] for site in sites], [wanted])
    check('sites of a kernel that never ran', find('never_launched', launched=False)['sites'], [])


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
