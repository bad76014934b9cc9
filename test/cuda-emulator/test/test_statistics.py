#!/usr/bin/env python3
"""test_statistics.py FILE.json - the counted work of test_kernels against what a look at the kernels says."""
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
    """A function that finds a kernel that was launched by a part of its name."""
    kernels = json.load(open(path))
    return lambda part: next(k for k in kernels if part in k['kernel'] and k['launches'])


def main(kernels):
    check_kernels(read(kernels))
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


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
