import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcl.alerts.transports.shell import variables
from hcl.alerts.transports.shell_script import refer

# What /bin/sh is on most systems.
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]

NAMES = ("CODE", "STATUS", "NAME", "NAME_JSON", "EXITSTATUS", "TAG1", "TAG11")

ATTACKS = [
    "$(touch x)",
    "`touch x`",
    "'; touch x; '",
    '"; touch x; "',
    "'\"; touch x; '\"",
    "\ntouch x\n",
    "; touch x #",
    "| touch x",
    "&& touch x",
    "> x",
    ")\ntouch x\n(",
    "${y:=$(touch x)}",
    "}; touch x; {",
    "EOF\ntouch x\n",
    "() { :; }; touch x",
    "a[$(touch x)]",
    "\\$(touch x)",
    "\\",
    "-n",
    "--help",
    "*",
    "~",
    "!!",
    "日本 \u202e €",
    "",
]

# Each prints the value and then a NUL.
CONTEXTS = {
    "bare": r"printf '%s\0' $NAME",
    "double": r"""printf '%s\0' "$NAME" """,
    "single": r"printf '%s\0' '$NAME'",
    "assigned": r"""v=$NAME; printf '%s\0' "$v" """,
    "default": r"printf '%s\0' ${none:-$NAME}",
    "double default": r"""printf '%s\0' "${none:-$NAME}" """,
    "substitution": r"""v=$(printf '%s.' $NAME); printf '%s\0' "${v%.}" """,
    "double substitution": r"""v="$(printf '%s.' "$NAME")"; printf '%s\0' "${v%.}" """,
    "nested": r"""v="$(printf "$(echo '%s.')" '$NAME')"; printf '%s\0' "${v%.}" """,
    "subshell": r"""( (printf '%s\0' '$NAME') )""",
    "backquotes": r"""v=`printf '%s.' "$NAME"`; printf '%s\0' "${v%.}" """,
    "after a comment": "# it's \"it\nprintf '%s\\0' $NAME # isn't it",
    "after a sum": r"""printf '%s\0' "$NAME" $((2 * (3 + 4))) | head -c -3""",
    "after escapes": r"""printf '%s\0' \'\"\`\#\\$NAME | tail -c +6""",
    "after a here-document": "cat >&2 <<'EOF'\nit's \"\nEOF\nprintf '%s\\0' '$NAME'",
    "in a here-document": (
        "(cat; printf .) <<EOF | head -c -2; printf '\\0'\n$NAME\nEOF"
    ),
    "in a here-document of tabs": (
        "(cat; printf .) <<-\tE | head -c -2; printf '\\0'\n$NAME\n\tE\n"
    ),
    "case": r"""case $NAME in it\'s) ;; *) printf '%s\0' '$NAME' ;; esac""",
    "loop": r"""for v in $NAME; do printf '%s\0' "$v"; done""",
    "function": r"""f() { printf '%s\0' "$1"; }; f $NAME""",
    "test": r"""[ "$NAME" = '$NAME' ] && printf '%s\0' "$NAME" """,
}
ALL = "\n".join(CONTEXTS.values())


def run(shell: str, script: str, value: str, folder: Path | str) -> bytes:
    """Run a script as the transport does, with one value for every placeholder."""
    environment = variables({name: lambda: value for name in NAMES})
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*command, "-c", refer(script, NAMES)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environb, **environment},
        timeout=20,
    )
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("context", CONTEXTS)
def test_value_arrives_in_every_context(
    shell: str, context: str, tmp_path: Path
) -> None:
    value = 'it\'s $(touch x) `touch x` "two  words" * $NAME \\\\ \\n; }\n) # €\n\n'

    output = run(shell, CONTEXTS[context], value, tmp_path)

    assert output == f"{value}\0".encode()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", ATTACKS)
def test_no_value_is_run(shell: str, value: str, tmp_path: Path) -> None:
    output = run(shell, ALL, value, tmp_path)

    assert output.split(b"\0") == [*[value.encode()] * len(CONTEXTS), b""]
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, deadline=None)
@given(value=st.text(st.characters(exclude_characters="\0"), max_size=50))
def test_any_value_arrives_in_every_context(value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output = run("sh", ALL, value, folder)

        sent = value.encode("utf-8", "replace")
        assert output.split(b"\0") == [*[sent] * len(CONTEXTS), b""]
        assert os.listdir(folder) == []


# What quotes, ends and nests; $NAME is at home among them.
_PIECES = ["'", '"', "`", "$(", ")", "(", "${y:-", "${y", "}", "$", "$'", "\\", "#"]
_PIECES += [" ", "\n", ";", "echo ", "x=", "case a in a)", ";; esac", "<<E", "\nE\n"]
_PIECES += ["$((", "))", "[", "]", "$NAME", "$NAME", "$NAME", "'$NAME'", '"$NAME"']


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(_PIECES), max_size=25),
    shell=st.sampled_from(SHELLS),
)
def test_no_value_is_run_however_odd_the_script(pieces: list[str], shell: str) -> None:
    attack = "a[$(touch x)]`touch x`;touch x;'touch x'\"`touch x`\"\n touch x\n)touch x"
    with tempfile.TemporaryDirectory() as folder:
        run(shell, "".join(pieces), attack, folder)

        assert os.listdir(folder) == []


@pytest.mark.parametrize(
    "script",
    [
        "echo $(( $NAME + 1 ))",
        'echo "$(( $NAME ))" ',
        "echo $[ $NAME ]",
        "(( $NAME ))",
        "(( x = (1 + $NAME) ))",
        "for (( i = $NAME; i < 2; i++ )); do :; done",
        "a[$NAME]=1",
        "a[1 + $NAME]+=1",
        "v=abc; echo ${v:$NAME} ${v:1:$NAME}",
        'v=abc; echo "${v:$NAME}" ${v:"$NAME"}',
        "a=(1 2); echo ${a[$NAME]} ${a[$NAME]:-x}",
    ],
)
def test_no_value_is_run_where_bash_counts(script: str, tmp_path: Path) -> None:
    run("bash", script, "a[$(touch x)]", tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "referring"),
    [
        ("$NAME", '"${HCL_NAME}"'),
        ("a$NAME.b", 'a"${HCL_NAME}".b'),
        ('"$NAME"', '"${HCL_NAME}"'),
        ("'$NAME'", "''\"${HCL_NAME}\"''"),
        ("$'a\\'$NAME'", "$'a\\''\"${HCL_NAME}\"$''"),
        ("<<E\n$NAME\nE\n", "<<E\n${HCL_NAME}\nE\n"),
        ("$((1 + $EXITSTATUS))", "$((1 + ${HCL_EXITSTATUS}))"),
        # The longest name counts, as everywhere.
        ("$NAME_JSON$NAMES", '"${HCL_NAME_JSON}""${HCL_NAME}"S'),
        ("$TAG11 $TAG1 $TAG12", '"${HCL_TAG11}" "${HCL_TAG1}" "${HCL_TAG1}"2'),
    ],
)
def test_placeholder_refers_to_a_variable(script: str, referring: str) -> None:
    assert refer(script, NAMES) == referring


@pytest.mark.parametrize(
    "script",
    [
        "",
        "\\$NAME",
        '"\\$NAME"',
        "`echo \\$NAME`",
        "$$NAME",
        "${NAME}",
        "$NOTHING $HOME $1 $# $@ $name $HCL_NAME ${HCL_NAME}",
        "# $NAME",
        "echo a # it's $NAME",
        "cat <<'E'\n$NAME\nE\n",
        'cat <<"E"\n$NAME\nE\n',
        "cat <<\\E\n$NAME",
        "$(( $NAME ))",
    ],
)
def test_what_is_no_placeholder_stays(script: str) -> None:
    assert refer(script, NAMES) == script
