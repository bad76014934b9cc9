#!/usr/bin/env python3
"""What the translator does not know it has to refuse, with the line: a guess would be a wrong result somewhere."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from translate.emitter import emit  # noqa: E402
from translate.errors import Unsupported  # noqa: E402
from translate.module import Module  # noqa: E402

FRAME = '''.version 9.0
.target sm_90
.address_size 64
.visible .entry k(.param .u64 p)
{
.reg .pred %p<4>; .reg .b16 %h<8>; .reg .b32 %r<16>; .reg .b64 %d<8>;
CODE
ret;
}
'''

FOUR = '{%r1,%r2,%r3,%r4}'

# an instruction, and what the message has to name
REFUSED = [
    ('frobnicate.u32 %r1, %r2;', 'unknown opcode'),
    ('add.frob.u32 %r1, %r2, %r3;', 'frob'),
    ('add.sat.u32 %r1, %r2, %r3;', 'sat'),
    ('add.ftz.f64 %d1, %d2, %d3;', 'ftz'),
    ('add.rz.f16 %h1, %h2, %h3;', 'add.rz.f16'),
    ('add.u16x2 %r1, %r2, %r3;', 'u16x2'),
    ('mad.hi.sat.s32 %r1, %r2, %r3, %r4;', 'sat'),
    ('add.cc.u16 %h1, %h2, %h3;', 'add.cc.u16'),
    ('max.f32 %r1, %r2, %r3, %r4;', '4 operands'),
    ('min.xorsign.abs.f32 %r1, %r2, %r3;', 'xorsign'),
    ('setp.lt.f16x2 %p1|%p2, %r1, %r2;', 'f16x2'),
    ('setp.lo.s32 %p1, %r1, %r2;', 'setp.lo.s32'),
    ('setp.ltu.s32 %p1, %r1, %r2;', 'setp.ltu.s32'),
    ('cvt.f32.f64 %r1, %d1;', 'rounding'),
    ('cvt.s32.f32 %r1, %r2;', 'cvt.s32.f32'),
    ('cvt.rn.satfinite.e4m3x2.f32 %h1, %r1, %r2;', 'satfinite'),
    ('cvt.pack.sat.u8.s32.b32 %r1, %r2, %r3, %r4;', 'pack'),
    ('prmt.b32.f4e %r1, %r2, %r3, %r4;', 'f4e'),
    ('lop3.or.b32 %r1|%p1, %r2, %r3, %r4, 0x80, %p2;', 'or'),
    ('bar.arrive 1, 64;', 'arrive'),
    ('barrier.cluster.arrive;', 'cluster'),
    ('mbarrier.init.shared.b64 [%r1], 1;', 'unknown opcode'),
    ('cp.async.bulk.commit_group;', 'bulk'),
    ('cp.async.mbarrier.arrive.shared.b64 [%r1];', 'mbarrier'),
    ('cp.async.ca.shared.global [%r1], [%d1], 16, %p1;', 'predicate'),
    ('ld.global.b128 %d1, [%d2];', 'b128'),
    ('ld.shared::cluster.u32 %r1, [%r2];', 'cluster'),
    ('atom.global.cas.u32 %r1, [%d1], %r2;', 'cas'),
    ('atom.global.add.u32 %r1, [%d1], %r2, %r3;', 'add'),
    ('atom.global.mul.u32 %r1, [%d1], %r2;', 'mul'),
    ('mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%r1,%r2}, {%r1,%r2,%r3,%r4}, {%r1,%r2}, {%r1,%r2};', 'f16'),
    (f'mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {FOUR}, {FOUR}, {{%r1,%r2}}, {FOUR};', 'm16n8k32'),
    (f'mma.sync.aligned.m16n8k8.row.row.f32.tf32.tf32.f32 {FOUR}, {FOUR}, {{%r1,%r2}}, {FOUR};', 'row'),
    ('ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%r1,%r2}, [%r3];', 'm16n16'),
    ('wgmma.fence.sync.aligned;', 'unknown opcode'),
    ('redux.sync.min.f32 %r1, %r2, %r3;', 'f32'),
    ('call (%r1), %d1, (%r2), proto;', 'call'),
    ('call nowhere;', 'nowhere'),
    ('mov.u32 %r1, nothing;', 'unknown name nothing'),
    ('mov.u32 %r1, %envreg3;', 'envreg3'),
    ('ld.global.u32 %r1, [%d1+%d2];', 'address'),
]

# What has to be read rightly: comments, labels that look like scopes, scoped names, hints.
ACCEPTED = [
    '// add.frob.u32\n/* frobnicate;\n */ mov.u32 %r1, 1;',
    '{ .reg .b32 %r1; mov.b32 %r1, 0f3F800000; } mov.b32 %r1, -5;',
    'ld.global.nc.L1::no_allocate.L2::128B.v4.f32 {%r1,%r2,%r3,%r4}, [%d1+-16];',
    'createpolicy.fractional.L2::evict_first.b64 %d2;',
    'ld.global.L2::cache_hint.u32 %r1, [%d1], %d2;',
    'ts: .branchtargets $L_a, $L_b; $L_a: $L_b: brx.idx %r1, ts;',
    '@!%p1 bra $L_c; $L_c: barrier.cta.sync 0;',
    'st.shared::cta.u32 [%r1], %r2;',
]


def translate(code):
    module = Module()
    problems = module.read(FRAME.replace('CODE', code))
    return module, '\n'.join(problems)


def main():
    passed = failed = 0
    for code, named in REFUSED:
        _, problems = translate(code)
        right = named in problems and problems.startswith('line 7: ')
        passed, failed = passed + right, failed + (not right)
        if not right:
            print(f'FAIL {code} is not refused for {named}: {problems}')
    for code in ACCEPTED:
        module, problems = translate(code)
        right = not problems and 'COUNT(0)' in emit(module, 'test')
        passed, failed = passed + right, failed + (not right)
        if not right:
            print(f'FAIL {code} is refused: {problems}')
    module = Module()
    problems = module.read('.visible .global .align 8 .u64 table[2] = {generic(other), 0};')
    try:
        emit(module, 'test')
        failed += 1
        print('FAIL an initializer with an address is not refused')
    except Unsupported:
        passed += not problems
    print(f'refusals: {passed} passed, {failed} failed')
    return failed != 0 or passed == 0


if __name__ == '__main__':
    sys.exit(main())
