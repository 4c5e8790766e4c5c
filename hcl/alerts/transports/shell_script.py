"""Shell scripts with placeholders: refer to variables instead of pasting values in.

No value ever stands in a script. A placeholder becomes a reference to a variable of the
environment, in the form that the quoting around it asks for. To know the quoting the
script is read as POSIX.1, 2.2 to 2.7, describes it; should it be misread, quotes are
only ever added in pairs, and a value may be split into words but never be run.

What a command itself takes for code is beyond this: eval, `sh -c '… $NAME'`, ssh, and
of bash let and [[ … -eq … ]]. `sh -c 'echo "$HCL_NAME"'` is safe.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from hcl.alerts.transports.placeholders import names_pattern

PREFIX = "HCL_"

# What this part of a script is, which decides what ends it and what quotes mean in it:
# commands, at the top or in (…), $(…) and `…`; quoted text, in "…" or a here-document;
# ${…}; a sum in $((…)), ((…)) or $[…].
_Kind = Literal["top", "paren", "backquote", "double", "here", "brace", "sum"]

_COMMANDS: tuple[_Kind, ...] = ("top", "paren", "backquote")

# A word after << : its quotes tell whether the lines that follow are expanded.
_HERE = r"<<-?[ \t]*(?:\\.|'[^'\n]*'|\"[^\"\n]*\"|[^\s;&|()<>'\"\\`])+"

# What bash counts in without brackets for it: the … of array[…]=value.
_SUBSCRIPT = r"\w+\[(?=[^]\n]*\]\+?=)"

# `$$NAME` is the number of the process and then NAME, as in sh. ${x:-…} and its like
# hold text; what other ${…} hold may be a sum, say the 2 of ${x:2}.
_TOKENS = rf"""
    \\. | \$\$ | \$' | \$\(\( | \$\( | \$\[ | \(\( | {_SUBSCRIPT}
    | \$\{{(?:\w+|[@*]):?[-=?+] | \$\{{ | <<< | {_HERE} | \w+ | . """

# bash runs what stands in the value of a variable in a sum: a[$(reboot)]. So there only
# what is a number for certain is filled in.
_NUMBERS = ("EXITSTATUS",)

# A # after one of these begins a comment.
_GAPS = {"", "$(", *"\n\t ;|&()<>`"}

# Quoted text up to its end; only in $'…' does a backslash keep a quote from ending it.
_SINGLE = {
    "'": re.compile(r"[^']*'?"),
    "$'": re.compile(r"(?:[^'\\]|\\.)*'?", re.DOTALL),
}


@dataclass(slots=True)
class _Part:
    """A part of a script. `depth` counts the brackets that are open in it.

    `quoted`: there are double quotes around it. `fills`: placeholders are filled in.
    """

    kind: _Kind
    depth: int = 0
    quoted: bool = False
    fills: bool = True


def refer(script: str, names: Collection[str]) -> str:
    """Have each placeholder `$X` of these names refer to the variable HCL_X.

    A backslash before it, a comment, a here-document with a quoted delimiter, and a
    place where sh counts keep it as it is.
    """
    return _Reader(script, names, _Part("top")).read()


class _Reader:
    def __init__(self, script: str, names: Collection[str], part: _Part) -> None:
        self._script = script
        self._names = names
        self._placeholder = names_pattern(names)
        # A placeholder before what else may begin with $.
        pattern = rf"{self._placeholder.pattern} | {_TOKENS}"
        self._piece = re.compile(pattern, re.VERBOSE | re.DOTALL)
        self._parts = [part]
        self._at = 0
        self._written: list[str] = []
        # The delimiters of here-documents that begin on the next line.
        self._awaited: list[str] = []

    def read(self) -> str:
        """Read to the end, and return the script as it is to be run."""
        before = ""
        while token := self._piece.match(self._script, self._at):
            piece = token[0]
            self._at = token.end()
            kind = self._parts[-1].kind
            if token[1]:
                self._written.append(self._reference(token[1]))
            elif piece == "#" and kind in _COMMANDS and before in _GAPS:
                self._written += piece, self._rest(self._comment())
            else:
                self._written.append(self._quoted(piece) or piece)
                self._follow(piece, kind)
            before = piece
        return "".join(self._written)

    def _reference(self, name: str) -> str:
        part = self._parts[-1]
        if not part.fills and name not in _NUMBERS:
            return f"${name}"
        variable = f"${{{PREFIX}{name}}}"
        return variable if part.quoted else f'"{variable}"'

    def _quoted(self, piece: str) -> str:
        """Fill in '…' or $'…', which are read whole; return "" for anything else."""
        part = self._parts[-1]
        plain = part.kind in _COMMANDS or (part.kind == "brace" and not part.quoted)
        if not plain or piece not in _SINGLE:
            return ""
        text = self._rest(_SINGLE[piece])
        if part.fills:
            reference = rf"""'"${{{PREFIX}\1}}"{piece}"""
            text = self._placeholder.sub(reference, text)
        return piece + text

    def _comment(self) -> re.Pattern[str]:
        inside = any(part.kind == "backquote" for part in self._parts)
        return re.compile(r"[^\n`]*" if inside else r"[^\n]*")

    def _rest(self, pattern: re.Pattern[str]) -> str:
        """Read on as far as a pattern goes, which may be nowhere."""
        match = pattern.match(self._script, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _follow(self, piece: str, kind: _Kind) -> None:
        """Note which part of the script begins or ends with a piece."""
        if piece == "`":
            self._backquote()
        elif piece in ("$((", "$["):
            self._begin_sum(len(piece) - 1)
        elif piece == "$(":
            self._begin("paren")
        elif piece.startswith("${"):
            self._begin_brace(piece)
        elif kind in _COMMANDS:
            self._follow_command(piece)
        elif kind == "sum":
            self._count(piece, "([", ")]")
        elif piece == '"' and kind == "double":
            self._parts.pop()
        elif piece == '"' and kind == "brace":
            self._begin("double", quoted=True, fills=self._parts[-1].fills)
        elif piece == "}" and kind == "brace":
            self._parts.pop()

    def _follow_command(self, piece: str) -> None:
        if piece == '"':
            self._begin("double", quoted=True)
        elif piece == "((" or _is_array(piece):
            # (( is a sum to bash; else two subshells, which end with as many brackets.
            self._begin_sum(piece.count("(") or 1)
        elif piece.startswith("<<") and piece != "<<<":
            self._awaited.append(piece)
        elif piece == "\n":
            self._here_documents()
        elif piece == "(":
            self._begin("paren")
        elif piece == ")" and self._parts[-1].kind == "paren":
            self._parts.pop()

    def _begin(self, kind: _Kind, quoted: bool = False, fills: bool = True) -> None:
        self._parts.append(_Part(kind, 0, quoted, fills))

    def _begin_sum(self, depth: int) -> None:
        # It is expanded as if in double quotes, and dash takes no others in it.
        self._parts.append(_Part("sum", depth, quoted=True, fills=False))

    def _begin_brace(self, piece: str) -> None:
        around = self._parts[-1]
        fills = around.fills and piece != "${"
        self._begin("brace", quoted=around.quoted, fills=fills)

    def _backquote(self) -> None:
        # An inner one has a backslash, so that the next one always ends it, even in
        # quotes that are still open.
        kinds = [part.kind for part in self._parts]
        if "backquote" in kinds:
            del self._parts[kinds.index("backquote") :]
        else:
            self._begin("backquote")

    def _count(self, piece: str, opening: str, closing: str) -> None:
        part = self._parts[-1]
        part.depth += sum(map(piece.count, opening)) - sum(map(piece.count, closing))
        if part.depth <= 0:
            self._parts.pop()

    def _here_documents(self) -> None:
        awaited, self._awaited = self._awaited, []
        for piece in awaited:
            dash, word = re.findall(r"<<(-?)[ \t]*(.*)", piece, re.DOTALL)[0]
            delimiter = re.sub(r"\\(.)|['\"]", r"\1", word)
            tabs = r"\t*" if dash else ""
            end = rf"^{tabs}{re.escape(delimiter)}$"
            body = self._rest(re.compile(rf".*?(?={end}|\Z)", re.DOTALL | re.MULTILINE))
            if delimiter == word:
                body = _Reader(body, self._names, _Part("here", quoted=True)).read()
            self._written += body, self._rest(re.compile(end, re.MULTILINE))


def _is_array(piece: str) -> bool:
    return piece.endswith("[") and piece[:-1].isidentifier()
