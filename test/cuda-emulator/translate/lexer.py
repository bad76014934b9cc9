"""Splits PTX into statements."""
import dataclasses
import re

_ONE_LINE = re.compile(r'\.(loc|file|version|target|address_size|maxntid|reqntid|minnctapersm|maxnreg|noreturn|'
                       r'abi_preserve\w*|blocksareclusters|reqnctapercluster|explicitcluster)\b')
_LABEL = re.compile(r'([\w$%]+)\s*:(?!:)')
_FUNCTION = re.compile(r'(\.(visible|weak|extern)\s+)*\.(entry|func)\b')
_DECLARATION = re.compile(r'\.(visible|weak|extern|common|reg|global|const|shared|local|param|branchtargets|pragma)\b')


@dataclasses.dataclass
class Statement:
    line: int
    kind: str  # open, close, label, directive, header (of a function), declaration, instruction
    text: str  # white space made single, without the semicolon


def split_list(text):
    """The parts of a list, at commas that are not within brackets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in '{[(') - (c in '}])')
        if c == ',' and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return parts + [last] if last else parts


def elements(text):
    """{a, b} or a: the operands of a vector instruction."""
    return split_list(text.strip('{} '))


def statements(text):
    text = _without_comments(text)
    at, line = 0, 1
    while at < len(text):
        c = text[at]
        if c.isspace() or c == ';':
            line += c == '\n'
            at += 1
            continue
        kind, end = _next(text, at)
        if kind != 'section':
            yield Statement(line, kind, re.sub(r'\s+', ' ', text[at:end]).strip())
        line += text.count('\n', at, end)
        at = end


def _without_comments(text):
    text = re.sub(r'/\*.*?\*/', lambda m: '\n' * m.group().count('\n'), text, flags=re.S)
    return re.sub(r'//[^\n]*', '', text)


def _next(text, at):
    """The kind of the statement that begins here, and where it ends."""
    if text[at] in '{}':
        return ('open' if text[at] == '{' else 'close'), at + 1
    if text.startswith('.section', at):
        return 'section', text.index('}', at) + 1
    if _ONE_LINE.match(text, at):
        end = text.find('\n', at)
        return 'directive', end if end >= 0 else len(text)
    if _FUNCTION.match(text, at):
        return 'header', _end_of_header(text, at)
    if match := _LABEL.match(text, at):
        return 'label', match.end()
    kind = 'declaration' if _DECLARATION.match(text, at) else 'instruction'
    return kind, _end_of_statement(text, at)


def _end_of_header(text, at):
    """Behind the parameter list: .func (.param .b32 r) name (...) has two, so a name after a list goes on."""
    depth = 0
    for i in range(at, len(text)):
        c = text[i]
        depth += (c == '(') - (c == ')')
        if depth:
            continue
        if c == ')' and not re.match(r'\s*[\w$]+\s*\(', text[i + 1:i + 4000]):
            return i + 1
        if c in '{;':
            return i
    return len(text)


def _end_of_statement(text, at):
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == '{') - (text[i] == '}')
        if text[i] == ';' and depth == 0:
            return i
    return len(text)
