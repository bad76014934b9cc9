#!/usr/bin/env python3
"""ptx2cpp.py IN.ptx OUT.cpp - translate nvcc's PTX into C++ that runs on the cuemu runtime.

Each .entry becomes one C++ function run by every emulated thread; registers become local variables holding raw bits.
Anything not understood stops the translation with the PTX line: nothing is guessed. Compile OUT.cpp with -DCUEMU_CHECK=1
for bounds, alignment, race and coalescing checks on every access."""
import re, sys

T = {k: k for k in 'u8 u16 u32 u64 s8 s16 s32 s64 f32 f64 f16 bf16'.split()} | {'b8': 'u8', 'b16': 'u16', 'b32': 'u32', 'b64': 'u64'}
SIZE = {k: int(re.sub(r'\D', '', k)) // 8 for k in T} | {'bf16': 2, 'pred': 1, 'f16x2': 4, 'bf16x2': 4, 'tf32': 4, 'b128': 16}
CTYPE = {1: 'u16', 2: 'u16', 4: 'u32', 8: 'u64'}
SPECIAL = {f'%{a}.{d}': f'self->{b}.{d}' for a, b in (('tid', 'tid'), ('ctaid', 'ctaid'), ('ntid', 'ntid'), ('nctaid', 'nctaid')) for d in 'xyz'}
SPECIAL |= {'%laneid': 'self->lane', '%warpid': 'self->warp', '%nwarpid': '32u', '%lanemask_lt': '((1u << self->lane) - 1)', '%lanemask_le': '(~0u >> (31 - self->lane))', '%lanemask_eq': '(1u << self->lane)',
            '%lanemask_gt': '(self->lane == 31 ? 0u : ~0u << (self->lane + 1))', '%lanemask_ge': '(~0u << self->lane)', '%clock': '0u', '%clock64': 'u64(0)', '%globaltimer': 'u64(0)', '%smid': '0u', '%nsmid': '4u', 'WARP_SZ': '32u',
            '%dynamic_smem_size': '(shared_size())', '%total_smem_size': '(shared_size())'}
CMP = {'eq': '==', 'ne': '!=', 'lt': '<', 'le': '<=', 'gt': '>', 'ge': '>=', 'lo': '<', 'ls': '<=', 'hi': '>', 'hs': '>='}

# modifiers each opcode may carry besides its type; anything else stops the translation
KNOWN = {k: set(v.split()) for k, v in {
    'add': 'rn ftz sat', 'sub': 'rn ftz sat', 'mul': 'rn ftz sat lo hi wide', 'mad': 'rn ftz sat lo hi wide', 'fma': 'rn ftz sat', 'div': 'rn ftz full approx', 'rem': '', 'min': 'ftz', 'max': 'ftz', 'neg': 'ftz', 'abs': 'ftz',
    'and': '', 'or': '', 'xor': '', 'not': '', 'shl': '', 'shr': '', 'shf': 'l r wrap clamp', 'lop3': '', 'prmt': '', 'bfe': '', 'bfi': '', 'popc': '', 'clz': '', 'bfind': 'shiftamt', 'bmsk': 'clamp wrap', 'brev': '', 'selp': '',
    'ex2': 'approx ftz', 'lg2': 'approx ftz', 'rcp': 'approx ftz rn', 'sqrt': 'approx ftz rn', 'rsqrt': 'approx ftz', 'sin': 'approx ftz', 'cos': 'approx ftz', 'tanh': 'approx', 'mov': '', 'copysign': '',
    'ld': 'global shared local param const nc v2 v4 v8 volatile relaxed acquire weak cta gpu sys ca cg cs lu cv L1 L2 no_allocate evict_first evict_last', 'st': 'global shared local param v2 v4 v8 volatile relaxed release weak cta gpu sys wb cg cs wt L1 L2 no_allocate evict_first evict_last',
    'atom': 'global shared add min max and or xor exch cas inc dec relaxed acquire release acq_rel cta gpu sys cluster noftz v2 v4 v8', 'red': 'global shared add min max and or xor inc dec relaxed release cta gpu sys cluster noftz v2 v4 v8',
    'setp': ' '.join(list(CMP) + [c + 'u' for c in ('eq', 'ne', 'lt', 'le', 'gt', 'ge')]) + ' num nan and or xor ftz', 'cvt': 'rn rna rni rzi rmi rpi ftz sat relu rz rm rp'}.items()}
KNOWN['cvt'] |= set(T) | {'tf32', 'bf16x2', 'f16x2'}

class Stop(Exception): pass

def split_top(s):
    out, depth, cur = [], 0, ''
    for ch in s:
        if ch in '{[(': depth += 1
        if ch in '}])': depth -= 1
        if ch == ',' and depth == 0: out.append(cur.strip()); cur = ''
        else: cur += ch
    return out + [cur.strip()] if cur.strip() else out

def statements(text):
    """yield (line, kind, text): kind in stmt, label, open, close; text without comments"""
    text = re.sub(r'/\*.*?\*/', lambda m: '\n' * m.group().count('\n'), text, flags=re.S)
    text = re.sub(r'//[^\n]*', '', text)
    i, n, line = 0, len(text), 1
    while i < n:
        c = text[i]
        if c == '\n': line += 1; i += 1; continue
        if c.isspace() or c == ';': i += 1; continue
        if c in '{}': yield line, 'open' if c == '{' else 'close', c; i += 1; continue
        m = re.match(r'([\w$%.]+)\s*:(?!:)', text[i:])
        if m and not m.group(1).startswith('.'): yield line, 'label', m.group(1); i += m.end(); continue
        if re.match(r'\.(loc|file|version|target|address_size|maxntid|minnctapersm|reqntid|maxnreg|noreturn|abi_preserve\w*|blocksareclusters|reqnctapercluster|explicitcluster)\b', text[i:]):
            j = text.find('\n', i); j = n if j < 0 else j
            yield line, 'stmt', text[i:j].strip(); i = j; continue
        if re.match(r'(\.visible|\.weak|\.extern|\.entry|\.func)\b', text[i:]) and not re.match(r'(\.visible |\.weak |\.extern )*\.(global|const|shared)\b', text[i:]):
            j = i; depth = 0                                   # a function header: up to its parameter list's end
            while True:
                if text[j] == '(': depth += 1
                if text[j] == ')':
                    depth -= 1
                    if depth == 0 and not re.match(r'\s*[\w$]+\s*\(', text[j + 1:]): j += 1; break
                if text[j] in '{;' and depth == 0: break
                j += 1
            yield line, 'head', text[i:j]; line += text[i:j].count('\n'); i = j; continue
        if text.startswith('.section', i):
            j = text.find('}', i) + 1; line += text[i:j].count('\n'); i = j; continue
        j, depth = i, 0
        while j < n and not (text[j] == ';' and depth == 0):
            depth += (text[j] == '{') - (text[j] == '}'); j += 1
        yield line, 'stmt', re.sub(r'\s+', ' ', text[i:j]); line += text[i:j].count('\n'); i = j + 1

class Fn:
    def __init__(self, mod, name, entry): self.m, self.name, self.entry = mod, name, entry; self.params = []; self.scopes = [{}]; self.decl = []; self.body = []; self.regs = 0; self.shared = {}; self.smem = 0; self.max_threads = 0; self.blocks = [[]]; self.ret = None; self.uid = 0; self.loads = {}

    # ---- operands
    def reg(self, r):
        for s in reversed(self.scopes):
            if r in s: return s[r]
        raise Stop(f'unknown name {r}')
    def declare(self, ty, name, count=None):
        for k in (range(int(count)) if count else [None]):
            pt = name if k is None else f'{name}{k}'
            self.uid += 1; c = f'{re.sub(r"[^A-Za-z0-9_]", "", pt)}_{self.uid}'
            w = 'bool' if ty == 'pred' else CTYPE[SIZE[ty]]
            self.scopes[-1][pt] = ('reg', c, w); self.decl.append((w, c))
    def val(self, o, ty):
        """C++ expression for operand o, as C++ type T[ty]"""
        t = T.get(ty, 'u32'); o = o.strip()
        if ty == 'pred':
            if o.startswith('!'): return '!' + self.val(o[1:], 'pred')
            if re.fullmatch(r'-?\d+', o): return 'true' if int(o) else 'false'
            return self.reg(o)[1]
        neg = ''
        if m := re.fullmatch(r'(-?)0[fF]([0-9a-fA-F]{8})', o): return f'({m.group(1)}R<{t}>(u32(0x{m.group(2)}u)))' if t == 'f32' else f'{m.group(1)}R<{t}>(u32(0x{m.group(2)}u))'
        if m := re.fullmatch(r'0[dD]([0-9a-fA-F]{16})', o): return f'R<{t}>(u64(0x{m.group(1)}ull))'
        if re.fullmatch(r'-?(0[xX][0-9a-fA-F]+|\d+)U?', o):
            lit = o.rstrip('U'); lit = f'({lit}ll)' if not lit.startswith('0x') else f'({lit}ull)'
            if t in ('f16', 'bf16'): return f'{t}{{u16({lit})}}'
            return f'{t}({lit})' if t not in ('f32', 'f64') else f'R<{t}>({"u32" if t == "f32" else "u64"}({lit}))'
        if o in SPECIAL: return f'{t}({SPECIAL[o]})'
        k = self.lookup(o)
        if k[0] == 'reg': return f'R<{t}>({k[1]})' if k[2] != 'bool' else k[1]
        return f'{t}({self.address_of(o)[0]})'
    def lookup(self, o):
        for s in reversed(self.scopes):
            if o in s: return s[o]
        if o in self.shared: return ('shared',)
        if o in self.m.shared_decl:                            # a module-scope .shared variable gets its place in each function that names it
            al, size = self.m.shared_decl[o]; self.smem = (self.smem + al - 1) // al * al; self.shared[o] = self.smem; self.smem += size; return ('shared',)
        if o in self.m.vars: return self.m.vars[o]
        if o in self.m.dyn: return ('dyn',)
        raise Stop(f'unknown operand {o}')
    def address_of(self, o):
        k = self.lookup(o)
        if k[0] == 'shared': return f'u64({self.shared[o]})', 'shared'
        if k[0] == 'dyn': return 'u64(SMEM_STATIC)', 'shared'
        if k[0] == 'local': return f'u64({k[1]})', 'local'
        if k[0] == 'var': return f'u64({k[1]})', k[2]
        if k[0] == 'parambuf': return f'u64({k[1]})', 'param'
        raise Stop(f'no address for {o}')
    def addr(self, o, space):
        m = re.fullmatch(r'\[\s*([^\s+]+?)\s*(?:\+\s*(-?\w+))?\s*\]', o)
        if not m: raise Stop(f'address {o}')
        b, off = m.group(1), m.group(2) or '0'
        if space == 'param' and self.entry and b in self.param_off: return f'(u64(P) + {self.param_off[b]} + {off})'
        if re.fullmatch(r'\d+', b): base = f'u64({b})'
        else:
            k = self.lookup(b); base = f'u64({k[1]})' if k[0] == 'reg' else self.address_of(b)[0]
        return f's_addr({base} + s64({off}))' if space == 'shared' else f'({base} + s64({off}))'
    def dst(self, o): k = self.reg(o); return k[1]
    def put(self, o, ty, expr):
        if o == '_': return f'(void)({expr});'
        k = self.reg(o)
        if ty == 'pred': return f'{k[1]} = {expr};'
        t = T[ty]
        if k[2] == 'u64' and SIZE[ty] < 8 or k[2] == 'u32' and SIZE[ty] < 4 or SIZE[ty] == 1:      # widening store of a narrow value
            return f'{k[1]} = {k[2]}({("s" if t[0] == "s" else "u")}64({t}({expr})));'
        return f'{k[1]} = W<{t}>({expr});'

    def site(self, what, n=1):
        for _ in range(n): self.m.sites.append([self.m.loc, what, 1])
        return f'(S0 + {len(self.m.sites) - n})'

    # ---- ptxas fuses adjacent 4-byte shared loads of one block of code into LDS.64/128; count them as it does
    def note_load(self, base, off, written): self.loads.setdefault((base, off // 16), {})[off % 16] = len(self.m.sites) - 1; self.drop(written)
    def drop(self, regs):
        for r in regs:
            for k in [k for k in self.loads if k[0] == r]: self.fuse(k)
    def fuse(self, key=None):
        for k in [key] if key else list(self.loads):
            g = self.loads.pop(k)
            for lo, n in ((0, 4), (0, 2), (8, 2)):
                part = [g.get(lo + 4 * i) for i in range(n)]
                if None not in part:
                    for i, x in enumerate(sorted(part)): self.m.sites[x][2] = n if x == part[0] else 0
                    if n == 4: break

    def where(self): return f'{int(self.m.loc[0] if str(self.m.loc[0]).isdigit() else 0) << 32 | self.m.loc[1]}ull'

    # ---- one instruction
    def inst(self, op, args):
        p = op.split('.'); o, mods, ty = p[0], p[1:], p[-1]
        a = args
        v = lambda i, t=None: self.val(a[i], t or ty)
        def bad(): raise Stop(f'unsupported {op} {", ".join(a)}')
        dirm = next((m for m in mods if m in ('rz', 'rm', 'rp')), None)
        if dirm and ty in ('f32', 'f64') and o in ('add', 'sub', 'mul', 'fma', 'div', 'sqrt', 'rcp', 'mad'):
            e = {'add': 'a + b', 'sub': 'a - b', 'mul': 'a * b', 'fma': 'fma_(a, b, c)', 'div': 'a / b', 'sqrt': 'std::sqrt(a)', 'rcp': '1 / a', 'mad': 'fma_(a, b, c)'}[o]
            full = [v(i) for i in range(1, len(a))] + ['0'] * (4 - len(a)); t = T[ty]
            call = f'directed<{t}>({dict(rz=1, rm=2, rp=3)[dirm]}, {", ".join(full)}, [](volatile {t}& a_, volatile {t}& b_, volatile {t}& c_) {{ {t} a = a_, b = b_, c = c_; return {e}; }})'
            return self.put(a[0], ty, f'sat_f({call})' if 'sat' in mods else call)
        if ty in ('f16x2', 'bf16x2') and o in ('add', 'sub', 'mul', 'fma', 'min', 'max', 'neg', 'abs'):
            h = ty[:-2]; fn = {'add': 'add', 'sub': 'sub', 'mul': 'mul', 'fma': 'fma_', 'min': 'mn', 'max': 'mx', 'neg': 'neg', 'abs': 'abs_'}[o]
            lane = lambda s: f'{fn}(' + ', '.join(f'{h}{{u16({self.val(x, "u32")} >> {s})}}' for x in a[1:]) + ').h'
            return self.put(a[0], 'u32', f'u32({lane(0)}) | u32({lane(16)}) << 16')
        if 'cc' in mods or o in ('addc', 'subc', 'madc'):         # extended-precision integers: the carry flag is a local variable
            if ty not in ('u32', 's32', 'u64', 's64', 'b32', 'b64') or 'sat' in mods: bad()
            b = SIZE[ty] * 8; u = f'u{b}'; w = 'u64' if b == 32 else 'unsigned __int128'; x = [f'{w}({v(i, u)})' for i in range(1, len(a))]; cin = 'cc_' if o[-1] == 'c' else '0'
            if o[0] == 'm':
                prod = f'{"s64" if b == 32 else "__int128"}(s{b}({x[0]})) * s{b}({x[1]})' if ty[0] == 's' else f'{x[0]} * {x[1]}'
                first = f'{w}({u}(({prod}) >> {b if "hi" in mods else 0})) + {x[2]} + {cin}'
            else: first = f'{x[0]} {"+" if o[0] == "a" else "-"} {x[1]} {"+" if o[0] == "a" else "-"} {cin}'
            return f'{{ {w} s_ = {first}; ' + self.put(a[0], u, f'{u}(s_)') + (f' cc_ = (s_ >> {b}) & 1;' if 'cc' in mods else '') + ' }'
        known = KNOWN.get(o)
        if known is not None and (odd := [m for m in mods[:-1] if m not in known]): raise Stop(f'unknown modifier {odd} in {op}')
        sat = 'sat' in mods and ty in ('f32', 'f64')
        S = lambda e: f'sat_f({e})' if sat else e
        if o == 'mov':
            if a[0].startswith('{'):
                d = split_top(a[0].strip('{} ')); w = SIZE[ty] // len(d)
                return ' '.join(self.put(x, f'b{w * 8}', f'{CTYPE[w]}({self.val(a[1], ty)} >> {i * w * 8})') for i, x in enumerate(d) if x != '_')
            if a[1].startswith('{'):
                s = split_top(a[1].strip('{} ')); w = SIZE[ty] // len(s)
                return self.put(a[0], ty, ' | '.join(f'{T[ty]}({T[ty]}({self.val(x, f"b{w * 8}")}) << {i * w * 8})' for i, x in enumerate(s)))
            return self.put(a[0], ty, v(1))
        if o == 'cvta':
            return self.put(a[0], 'u64', f'{v(1, "u64")} - u64(shared_base())' if 'to' in mods and 'shared' in mods else f'{v(1, "u64")} + u64(shared_base())' if 'shared' in mods else v(1, 'u64'))
        if o == 'isspacep': return self.put(a[0], 'pred', f'({v(1, "u64")} - u64(shared_base()) < 262144)' if 'shared' in mods else f'is_device_address({v(1, "u64")})' if 'global' in mods else 'false')
        if o in ('add', 'sub'): return self.put(a[0], ty, S(f'{o}<{T[ty]}>({v(1)}, {v(2)})'))
        if o == 'mul' or o == 'mad':
            if ty in ('f32', 'f64', 'f16', 'bf16'):
                return self.put(a[0], ty, S(f'mul<{T[ty]}>({v(1)}, {v(2)})' if o == 'mul' else f'fma_({v(1)}, {v(2)}, {v(3)})'))
            plus = lambda t: f' + {self.val(a[3], t)}' if o == 'mad' else ''
            if 'wide' in mods: w = ty[0] + str(SIZE[ty] * 16); return self.put(a[0], w, f'{T[w]}({v(1)}) * {T[w]}({v(2)}){plus(w)}')
            u = 'u' + ty[1:]
            if 'hi' in mods: return self.put(a[0], ty, f'{T[ty]}(mulhi<{T[ty]}>({v(1)}, {v(2)}){plus(ty)})')
            return self.put(a[0], u, f'{T[u]}({v(1, u)} * {v(2, u)}{plus(u)})')
        if o == 'fma': return self.put(a[0], ty, S(f'fma_({v(1)}, {v(2)}, {v(3)})') if 'relu' not in mods else bad())
        if o == 'div': return self.put(a[0], ty, f'{v(1)} / {v(2)}' if ty in ('f32', 'f64') else f'idiv<{T[ty]}>({v(1)}, {v(2)})')
        if o == 'rem': return self.put(a[0], ty, f'irem<{T[ty]}>({v(1)}, {v(2)})')
        if o in ('min', 'max'): return self.put(a[0], ty, ('mn' if o == 'min' else 'mx') + f'<{T[ty]}>({v(1)}, {v(2)})') if 'NaN' not in mods else bad()
        if o == 'neg': return self.put(a[0], ty, f'neg<{T[ty]}>({v(1)})')
        if o == 'abs': return self.put(a[0], ty, f'abs_<{T[ty]}>({v(1)})')
        if o in ('and', 'or', 'xor'):
            c = {'and': '&', 'or': '|', 'xor': '^'}[o]
            return self.put(a[0], ty, f'({v(1)} {c} {v(2)})' if ty != 'pred' else f'bool({v(1)} {c} {v(2)})')
        if o == 'not': return self.put(a[0], ty, f'!{v(1)}' if ty == 'pred' else f'{T[ty]}(~{v(1)})')
        if o in ('shl', 'shr'): return self.put(a[0], ty, f'{o}<{T[ty]}>({v(1)}, {v(2, "u32")})')
        if o == 'shf': return self.put(a[0], 'u32', f'shf({"true" if "l" in mods else "false"}, {"true" if "clamp" in mods else "false"}, {v(1, "u32")}, {v(2, "u32")}, {v(3, "u32")})')
        if o == 'lop3': return self.put(a[0], 'u32', f'lop3({v(1, "u32")}, {v(2, "u32")}, {v(3, "u32")}, {v(4, "u32")})')
        if o == 'prmt' and ty == 'b32' and len(mods) == 1: return self.put(a[0], 'u32', f'prmt({v(1, "u32")}, {v(2, "u32")}, {v(3, "u32")})')
        if o == 'bfe': return self.put(a[0], ty, f'bfe<{T[ty]}>({v(1)}, {v(2, "u32")}, {v(3, "u32")})')
        if o == 'bfi': return self.put(a[0], ty, f'bfi<{T[ty]}>({v(1)}, {v(2)}, {v(3, "u32")}, {v(4, "u32")})')
        if o == 'popc': return self.put(a[0], 'u32', f'u32(__builtin_popcountll({v(1)}))')
        if o == 'clz': return self.put(a[0], 'u32', f'clz_({v(1)}, {SIZE[ty] * 8})')
        if o == 'bfind' and ty[0] == 'u': return self.put(a[0], 'u32', f'bfind({v(1)}, {SIZE[ty] * 8}, {"true" if "shiftamt" in mods else "false"})')
        if o == 'bmsk': return self.put(a[0], 'u32', f'bmsk({v(1)}, {v(2)}, {"true" if "clamp" in mods else "false"})')
        if o == 'brev' and ty == 'b32': return self.put(a[0], 'u32', f'brev({v(1)})')
        if o == 'selp': return self.put(a[0], ty, f'{self.val(a[3], "pred")} ? {v(1)} : {v(2)}') if ty != 'pred' else bad()
        if o in ('setp', 'set'):
            if o == 'set': bad()
            c, boolop = mods[0], next((m for m in mods[1:] if m in ('and', 'or', 'xor')), None)
            x, y = (f'wide({v(1)})', f'wide({v(2)})') if ty in ('f16', 'bf16') else (v(1), v(2))
            if c in CMP: e = f'({x} {CMP[c]} {y})' if not (c == 'ne' and ty[0] == 'f') else f'({x} != {y} && !cmp_unord({x}, {y}))'
            elif c in ('num', 'nan'): e = f'{"!" if c == "num" else ""}cmp_unord({x}, {y})'
            elif c[:-1] in CMP and c[-1] == 'u': e = f'(cmp_unord({x}, {y}) || {x} {CMP[c[:-1]]} {y})'
            else: bad()
            d = a[0].split('|'); comb = lambda z: z if not boolop else f'bool({z} {dict(zip(("and", "or", "xor"), "&|^"))[boolop]} {self.val(a[3], "pred")})'
            return f'{{ bool t_ = {e}; ' + self.put(d[0], 'pred', comb('t_')) + (self.put(d[1], 'pred', comb('!t_')) if len(d) > 1 else '') + ' }'
        if o == 'cvt': return self.cvt(mods, a)
        if o in ('ex2', 'lg2', 'rcp', 'sqrt', 'rsqrt', 'sin', 'cos', 'tanh'):
            if ty not in ('f32', 'f64'): bad()
            f = {'ex2': 'std::exp2({})', 'lg2': 'std::log2({})', 'rcp': '1 / {}', 'sqrt': 'std::sqrt({})', 'rsqrt': '1 / std::sqrt({})', 'sin': 'std::sin({})', 'cos': 'std::cos({})', 'tanh': 'std::tanh({})'}[o]
            e = f.format(v(1)); return self.put(a[0], ty, f'approx({e})' if 'approx' in mods and ty == 'f32' else e)
        if o == 'copysign': return self.put(a[0], ty, f'std::copysign({v(2)}, {v(1)})')
        if o == 'testp': return self.put(a[0], 'pred', {'finite': 'std::isfinite', 'infinite': 'std::isinf', 'notanumber': 'std::isnan', 'number': '!std::isnan'}[mods[0]] + f'({v(1)})')
        if o in ('ld', 'ldu', 'st'):
            space = next((m for m in mods if m in ('global', 'shared', 'local', 'param', 'const')), '')
            n = next((int(m[1]) for m in mods if m in ('v2', 'v4', 'v8')), 1); t = T[ty]
            ref = a[1] if o != 'st' else a[0]; ad = self.addr(ref, space); regs = split_top((a[0] if o != 'st' else a[1]).strip('{} '))
            if space == 'const': ad = f'u64(storage({ad}))'
            if space in ('param', 'local', 'const'):
                return '{ u64 a_ = ' + ad + '; ' + ' '.join((self.put(r, ty, f'(*(const {t}*)(a_ + {i * SIZE[ty]}))') if o != 'st' else f'*({t}*)(a_ + {i * SIZE[ty]}) = {self.val(r, ty)};') for i, r in enumerate(regs)) + ' }'
            k = 'NcSpace' if 'nc' in mods else {'global': 'GlobalSpace', 'shared': 'SharedSpace', '': 'AnySpace'}[space]
            sid = self.site(op)
            if space == 'shared' and o == 'ld' and n == 1 and SIZE[ty] == 4 and (q := re.fullmatch(r'\[\s*([^\s+]+)\s*(?:\+\s*(\d+))?\s*\]', ref)): self.note_load(q[1], int(q[2] or 0), regs)
            if o != 'st': return f'{{ auto v_ = ldv<{t}, {n}>({sid}, {ad}, {k}); ' + ' '.join(self.put(r, ty, f'v_.v[{i}]') for i, r in enumerate(regs)) + ' }'
            return f'st({sid}, {ad}, {k}, Vec<{t}, {n}>{{{{' + ', '.join(self.val(r, ty) for r in regs) + '}});'
        if o in ('atom', 'red'):
            space = next((m for m in mods if m in ('global', 'shared')), ''); k = {'global': 'GlobalSpace', 'shared': 'SharedSpace', '': 'AnySpace'}[space]
            f = next(m for m in mods if m in ('add', 'min', 'max', 'and', 'or', 'xor', 'exch', 'cas', 'inc', 'dec')); x = a if o == 'atom' else ['_'] + a
            if ty in ('f16x2', 'bf16x2') and f == 'add':
                h = ty[:-2]; half = lambda sh: f'add({h}{{u16(o_ >> {sh})}}, {h}{{u16({self.val(x[2], "u32")} >> {sh})}}).h'
                return f'{{ auto r_ = atom<u32>({self.site(op)}, {self.addr(x[1], space)}, {k}, [&](u32 o_) -> u32 {{ return u32({half(0)}) | u32({half(16)}) << 16; }}); ' + self.put(x[0], 'u32', 'r_') + ' }'
            t = T.get(ty) or bad()
            if any(m in ('v2', 'v4', 'v8') for m in mods):       # vector reductions (sm_90): one element at a time, as the ISA allows
                regs = split_top(x[2].strip('{} ')); outs = split_top(x[0].strip('{} ')) if x[0] != '_' else ['_'] * len(regs); sid = self.site(op)
                fn = {'add': 'add', 'min': 'mn', 'max': 'mx'}.get(f) or bad()
                return ' '.join(f'{{ auto r_ = atom<{t}>({sid}, {self.addr(x[1], space)} + {i * SIZE[ty]}, {k}, [&]({t} o_) -> {t} {{ return {fn}<{t}>(o_, {self.val(r, ty)}); }}); {self.put(outs[i], ty, "r_")} }}' for i, r in enumerate(regs))
            b = self.val(x[2], ty); c = self.val(x[3], ty) if f == 'cas' else ''
            e = {'add': f'add<{t}>(o_, {b})', 'min': f'mn<{t}>(o_, {b})', 'max': f'mx<{t}>(o_, {b})', 'and': f'o_ & {b}', 'or': f'o_ | {b}', 'xor': f'o_ ^ {b}', 'exch': b, 'cas': f'o_ == {b} ? {c} : o_', 'inc': f'o_ >= {b} ? 0 : o_ + 1', 'dec': f'(o_ == 0 || o_ > {b}) ? {b} : o_ - 1'}[f]
            return f'{{ auto r_ = atom<{t}>({self.site(op)}, {self.addr(x[1], space)}, {k}, [&]({t} o_) -> {t} {{ return {e}; }}); ' + self.put(x[0], ty, 'r_') + ' }'
        if o in ('bar', 'barrier'):
            if 'warp' in mods: return f'syncwarp({v(0, "u32")});'
            if 'arrive' in mods: bad()
            if 'red' in mods:
                k = {'popc': 1, 'and': 2, 'or': 3}[next(m for m in mods if m in ('popc', 'and', 'or'))]; pr = self.val(a[-1], 'pred'); cnt = v(2, 'u32') if len(a) == 4 else '0'
                return self.put(a[0], 'pred' if ty == 'pred' else 'u32', f'barrier({v(1, "u32")}, {cnt}, {k}, {pr}, {self.where()})')
            return f'barrier({v(0, "u32")}, {v(1, "u32") if len(a) > 1 else "0"}, 0, 0, {self.where()});'
        if o == 'shfl':
            d = a[0].split('|'); k = {'idx': 0, 'up': 1, 'down': 2, 'bfly': 3}[mods[1]]
            return f'{{ bool k_; u32 v_ = shfl({k}, {v(4, "u32")}, {v(1, "u32")}, {v(2, "u32")}, {v(3, "u32")}, &k_); ' + self.put(d[0], 'b32', 'v_') + (self.put(d[1], 'pred', 'k_') if len(d) > 1 else '') + ' }'
        if o == 'vote':
            pr, m = self.val(a[1], 'pred'), v(2, 'u32'); k = mods[1]
            return self.put(a[0], 'b32', f'ballot({m}, {pr})') if k == 'ballot' else self.put(a[0], 'pred', {'any': f'ballot({m}, {pr}) != 0', 'all': f'ballot({m}, !({pr})) == 0'}[k])
        if o == 'match' and 'any' in mods: return self.put(a[0], 'b32', f'match_any({v(2, "u32")}, {v(1)})')
        if o == 'activemask': return self.put(a[0], 'b32', 'activemask()')
        if o == 'redux':
            k = {('add', 'u32'): 0, ('add', 's32'): 0, ('min', 's32'): 1, ('max', 's32'): 2, ('min', 'u32'): 3, ('max', 'u32'): 4, ('and', 'b32'): 5, ('or', 'b32'): 6, ('xor', 'b32'): 7}[(mods[1], ty)]
            return self.put(a[0], 'b32', f'redux({k}, {v(2, "u32")}, {v(1, "u32")})')
        if o == 'mma':
            key = (mods[2], mods[6]); sh = {('m16n8k4', 'tf32'): 'M16N8K4_TF32', ('m16n8k8', 'tf32'): 'M16N8K8_TF32', ('m16n8k8', 'bf16'): 'M16N8K8_BF16', ('m16n8k16', 'bf16'): 'M16N8K16_BF16', ('m16n8k8', 'f16'): 'M16N8K8_F16', ('m16n8k16', 'f16'): 'M16N8K16_F16'}.get(key)
            if not sh or mods[3:6] != ['row', 'col', 'f32'] or ty != 'f32': bad()
            D, A, B, C = (split_top(x.strip('{} ')) for x in a)
            return ('{ float c_[4] = {' + ', '.join(self.val(x, 'f32') for x in C) + '}; const u32 a_[] = {' + ', '.join(self.val(x, 'b32') for x in A) + '}, b_[] = {' + ', '.join(self.val(x, 'b32') for x in B) + f'}}; mma_sync({sh}, c_, a_, b_); '
                    + ' '.join(self.put(d, 'f32', f'c_[{i}]') for i, d in enumerate(D)) + ' }')
        if o == 'ldmatrix':
            n = int(next(m for m in mods if re.fullmatch(r'x[124]', m))[1]); D = split_top(a[0].strip('{} '))
            return f'{{ u32 r_[4]; ldm({self.site(op)}, r_, {n}, {self.addr(a[1], "shared" if "shared" in mods else "")}, {"true" if "trans" in mods else "false"}); ' + ' '.join(self.put(d, 'b32', f'r_[{i}]') for i, d in enumerate(D)) + ' }'
        if o == 'cp' and 'async' in mods and 'bulk' not in mods:
            if 'commit_group' in mods: return 'cp_async_commit();'
            if 'wait_group' in mods: return f'cp_async_wait({a[0]});'
            if 'wait_all' in mods: return 'cp_async_commit(); cp_async_wait(0);'
            if 'mbarrier' in mods: bad()
            return f'cpa({self.site(op, 2)}, {self.addr(a[0], "shared")}, {self.addr(a[1], "global")}, {a[2]}' + (f', {v(3, "u32")}' if len(a) > 3 else '') + ');'
        if o in ('membar', 'fence', 'prefetch', 'prefetchu', 'discard', 'applypriority', 'nanosleep', 'griddepcontrol'): return ';'
        if o == 'bra': return f'goto {self.label(a[0])};'
        if o in ('ret', 'exit'): return 'return;'
        if o == 'trap': return 'kernel_fault(715, "trap");'
        if o == 'call':
            ret = a[0].startswith('('); name = a[1 if ret else 0]; rest = a[2:] if ret else a[1:]; pars = split_top(rest[0].strip('() ')) if rest else []; rets = split_top(a[0].strip('() ')) if ret else []
            bufs = [self.address_of(x)[0] for x in rets + pars]
            if name == 'vprintf': return f'std::fputs((const char*)storage(*(u64*){bufs[1]}), stdout);'
            if name == '__assertfail': return 'kernel_fault(710, "assertion failed");'
            if name not in self.m.funcs: bad()
            return f'{self.m.funcs[name]}(' + ', '.join(f'(unsigned char*){b}' for b in bufs) + ');'
        bad()

    def cvt(self, mods, a):
        d, s = mods[-2], mods[-1]; v = self.val(a[1], s if s in T else 'u32')
        mode = next((i for i, m in enumerate(('rni', 'rzi', 'rmi', 'rpi')) if m in mods), None)
        flt = ('f16', 'bf16', 'f32', 'f64')
        if d == 'tf32': return self.put(a[0], 'b32', f'cvt_rna_tf32({self.val(a[1], "f32")})') if 'rna' in mods else bad_cvt(mods)
        if d in ('bf16x2', 'f16x2') and s == 'f32' and len(a) == 3:
            n = 'fbf16' if d == 'bf16x2' else 'ff16'; z = (lambda e: f'mx({e}, 0.f)') if 'relu' in mods else (lambda e: e)
            return self.put(a[0], 'b32', f'u32({n}({z(self.val(a[1], "f32"))})) << 16 | {n}({z(self.val(a[2], "f32"))})') if 'rz' not in mods else bad_cvt(mods)
        if 'relu' in mods or 'rna' in mods: bad_cvt(mods)
        if d in flt and s in flt:
            if 'rz' in mods or 'rm' in mods or 'rp' in mods: bad_cvt(mods)
            if mode is not None: return self.put(a[0], d, f'rint_mode({v}, {mode})') if d == s and d in ('f32', 'f64') else bad_cvt(mods)
            e = f'narrow<{T[d]}>(f64(wide({v})))' if d != s else v
            return self.put(a[0], d, f'sat_f({e})' if 'sat' in mods else e)
        if d in flt:
            if set(mods) & {'rz', 'rm', 'rp'}: return self.put(a[0], d, f'cvt_dir({v})') if False else bad_cvt(mods)
            return self.put(a[0], d, f'narrow<{T[d]}>({"f64" if d != "f32" else "f32"}({v}))' if d in ('f16', 'bf16') else f'{T[d]}({v})')
        if s in flt: return self.put(a[0], d, f'f2i<{T[d]}>({v}, {mode if mode is not None else 1}, true)')
        return self.put(a[0], d, f'sat_i<{T[d]}>({v})' if 'sat' in mods else f'{T[d]}({v})')
    def label(self, l): return 'L' + re.sub(r'\W', '_', l)

def bad_cvt(mods): raise Stop('unsupported cvt.' + '.'.join(mods))

class Module:
    def __init__(self): self.vars = {}; self.dyn = set(); self.sites = []; self.fns = []; self.funcs = {}; self.files = {}; self.loc = ('?', 0); self.out_vars = []; self.problems = []; self.ids = {}; self.shared_decl = {}

    def var(self, st):
        m = re.fullmatch(r'((?:\.\w+ )*)\.(global|const|shared|local) (?:\.attribute\([^)]*\) )?(?:\.align (\d+) )?\.(\w+) ([\w$%.]+)((?:\[\d*\])*)(?: ?= ?(.*))?', st, flags=re.S)
        if not m: raise Stop(f'declaration {st[:80]}')
        pre, space, al, ty, name, dims, init = m.groups(); n = 1
        for d in re.findall(r'\[(\d*)\]', dims): n *= int(d or 0)
        return space, int(al or SIZE[ty]), ty, name, SIZE[ty] * n, init, '.extern' in pre

    def translate(self, text):
        fn, depth, head = None, 0, None
        for line, kind, st in statements(text):
            try:
                if kind == 'head':
                    m = re.search(r'\.(entry|func)\b\s*(\(([^)]*)\))?\s*([\w$]+)\s*(\((.*)\))?\s*$', st, flags=re.S)
                    e, _, ret, name, _, par = m.groups(); params = []
                    for x in split_top(par or ''):
                        q = re.fullmatch(r'\.param (?:\.align (\d+) )?\.(\w+)(?: \.ptr[\w. ]*)? ([\w$%]+)(?:\[(\d+)\])?', re.sub(r'\s+', ' ', x)); params.append((q[3], int(q[1] or SIZE[q[2]]), SIZE[q[2]] * int(q[4] or 1)))
                    if '.extern' in st and e == 'func': continue
                    fn = Fn(self, name, e == 'entry'); fn.params = params; fn.param_off = {}; off = 0
                    for nme, al, sz in params: off = (off + al - 1) // al * al; fn.param_off[nme] = off; off += sz
                    fn.param_bytes = off; fn.cname = f'k{self.ids.setdefault(name, len(self.ids))}_' + re.sub(r'\W', '_', name)[:40]
                    if e == 'func':
                        self.funcs[name] = fn.cname
                        if ret and ret.strip(): fn.ret = re.search(r'([\w$%]+)(\[\d+\])?\s*$', ret.strip())[1]; fn.scopes[0][fn.ret] = ('parambuf', 'RET')
                        for i, (nme, _, _) in enumerate(params): fn.scopes[0][nme] = ('parambuf', f'A{i}')
                    head = fn; continue
                if kind == 'open':
                    depth += 1
                    if head is not None: self.fns.append(head); head = None
                    elif fn: fn.scopes.append({})
                    continue
                if kind == 'close':
                    depth -= 1
                    if fn and depth == 0: fn.fuse(); fn = None
                    elif fn: fn.scopes.pop()
                    continue
                if st.startswith('.'):
                    d = st.split()[0]
                    if d == '.loc': q = st.split(); self.loc = (q[1], int(q[2])); continue
                    if d == '.file': q = st.split(None, 2); self.files[q[1]] = re.match(r'"([^"]*)"', q[2])[1]; continue
                    if d == '.maxntid' or d == '.reqntid':
                        nums = [int(x) for x in re.findall(r'\d+', st)]; fn.max_threads = 1
                        for x in nums: fn.max_threads *= x
                        continue
                    if d == '.reg':
                        ty = re.match(r'\.reg \.(\w+)', st)[1]
                        for x in split_top(st.split(None, 2)[2]): q = re.fullmatch(r'([\w$%]+)(?:<(\d+)>)?', x); fn.declare(ty, q[1], q[2])
                        continue
                    if d == '.param' and fn:
                        q = re.fullmatch(r'\.param (?:\.align (\d+) )?\.(\w+) ([\w$%]+)(?:\[(\d+)\])?', st); fn.uid += 1; c = f'pb_{fn.uid}'; fn.decl.append(('buf', c, SIZE[q[2]] * int(q[4] or 1))); fn.scopes[-1][q[3]] = ('parambuf', c); continue
                    if re.search(r'\.(global|const|shared|local)\b', st):
                        space, al, ty, name, size, init, ext = self.var(st)
                        if space == 'shared':
                            if size == 0 or ext: self.dyn.add(name)
                            elif fn: fn.smem = (fn.smem + al - 1) // al * al; fn.shared[name] = fn.smem; fn.smem += size
                            else: self.shared_decl[name] = (al, size)
                        elif space == 'local': fn.uid += 1; c = f'loc_{fn.uid}'; fn.decl.append(('buf', c, size)); fn.scopes[-1][name] = ('local', c)
                        else: c = f'v{len(self.out_vars)}'; self.vars[name] = ('var', c, space); self.out_vars.append((c, name, size, ty, init))
                    continue
                if kind == 'label':
                    fn.fuse(); l = fn.label(st); fn.blocks.append([]); fn.body.append(f'{l}: BB({len(fn.blocks) - 1});'); continue
                m = re.fullmatch(r'(?:@(!?)([\w$%]+) )?([\w.:]+)(?: (.*))?', st, flags=re.S)
                if not m or not fn: raise Stop(f'statement {st[:80]}')
                neg, pred, op, args = m.groups(); code = fn.inst(re.sub(r'\.(L[12]|unified)::[\w:]+', '', op).replace('::cta', ''), split_top(args or ''))
                fn.blocks[-1].append(op); head0 = op.split('.')[0]
                if head0 in ('bar', 'barrier', 'bra', 'ret', 'atom', 'red', 'call') or op.startswith(('st.shared', 'cp.async')): fn.fuse()
                elif args and head0 != 'ld': fn.drop([split_top(args)[0]])
                fn.body.append(f'if ({neg}{fn.reg(pred)[1]}) {{ {code} }}' if pred else code)
                if op.split('.')[0] == 'bra' and pred: fn.blocks.append([]); fn.body.append(f'BB({len(fn.blocks) - 1});')
            except (Stop, AttributeError, KeyError, TypeError, StopIteration) as e:
                self.problems.append(f'line {line}: {type(e).__name__}: {e}\n    {st[:160]}')
        if self.problems: sys.exit('ptx2cpp: not translated:\n' + '\n'.join(self.problems[:40]))

    def emit(self, src):
        o = [f'// generated by ptx2cpp.py from {src}; do not edit', '#include "runtime/ptx_ops.h"', 'using namespace ptx;', '#define BB(n) (void)++bb[n]', 'static uint32_t S0;']
        for c, name, size, ty, init in self.out_vars:
            vals = init.strip('{} ') if init else ''
            if init and re.search(r'[a-zA-Z_$]', re.sub(r'0[xXfFdD][0-9a-fA-F]+', '', init)): sys.exit(f'ptx2cpp: initialiser of {name}')
            conv = lambda x: re.sub(r'^0[fF]', '0x', re.sub(r'^0[dD]', '0x', x.strip()))
            n = max(size // SIZE[ty], 1); o.append(f'alignas(16) static {CTYPE[SIZE[ty]] if SIZE[ty] > 1 else "u8"} {c}_[{n}] = {{{", ".join(conv(x) for x in split_top(vals))}}}; static unsigned char* {c};')
        for f in self.fns:
            if not f.entry: o.append(f'static void {f.cname}(' + ', '.join((['unsigned char* RET'] if f.ret else []) + [f'unsigned char* A{i}' for i in range(len(f.params))]) + ');')
        for f in self.fns:
            par = 'const unsigned char* P' if f.entry else ', '.join((['unsigned char* RET'] if f.ret else []) + [f'unsigned char* A{i}' for i in range(len(f.params))])
            o.append(f'static uint64_t {f.cname}_bb[{len(f.blocks)}];')
            o.append(f'static void {f.cname}({par}) {{ [[maybe_unused]] constexpr u64 SMEM_STATIC = {(f.smem + 15) // 16 * 16}; uint64_t* const bb = {f.cname}_bb; BB(0);')
            by = {}
            for d in f.decl:
                if d[0] == 'buf': o.append(f'alignas(16) unsigned char {d[1]}[{max(d[2], 1)}];')
                else: by.setdefault(d[0], []).append(d[1])
            for w, names in by.items(): o.append(f'{w} ' + ', '.join(names) + ';')
            o.append('[[maybe_unused]] bool cc_ = false;')
            o += f.body + ['}']
        o.append('static const cuemu::Site site_table[] = {' + ', '.join(f'{{"{self.files.get(l[0], "?").rsplit("/", 1)[-1]}", {l[1]}, "{w}", {mg}}}' for l, w, mg in self.sites) + (', ' if self.sites else '') + '{"", 0, "", 1}};')
        ent = [f for f in self.fns if f.entry]
        for f in ent:
            mix = ', '.join('{' + ', '.join(f'{{"{k}", {v}}}' for k, v in count(b).items()) + '}' for b in f.blocks)
            o.append(f'static const auto& {f.cname}_mix = *new std::vector<std::vector<std::pair<const char*, int>>>{{{mix}}};')
            o.append(f'static const auto& {f.cname}_info = *new cuemu::Kernel{{"{f.name}", {f.cname}, {f.smem}, {f.param_bytes}, {{{", ".join(f"{{{f.param_off[n]}, {s}}}" for n, _, s in f.params)}}}, {f.max_threads}, {f.cname}_bb, &{f.cname}_mix}};')
        o.append('static const bool registered = [] { S0 = cuemu::add_sites(site_table, sizeof site_table / sizeof *site_table);')
        o += [f'  cuemu::register_kernel(&{f.cname}_info);' for f in ent] + [f'  cuemu::register_var({{"{n}", &{c}, {c}_, {s}}});' for c, n, s, _, _ in self.out_vars] + ['  return true; }();']
        return '\n'.join(o) + '\n'

def count(ops):
    c = {}
    for x in ops: c[x] = c.get(x, 0) + 1
    return c

if __name__ == '__main__':
    m = Module(); m.translate(open(sys.argv[1]).read()); open(sys.argv[2], 'w').write(m.emit(sys.argv[1]))
