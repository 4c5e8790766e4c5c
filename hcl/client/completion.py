"""`hcl completion`: the shell completes commands, and the slugs of checks."""

from __future__ import annotations

import argparse

from hcl.client import COMMANDS

_BASH = """\
_hcl() {
    local word=${COMP_WORDS[COMP_CWORD]}
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "COMMANDS" -- "$word"))
    elif [ "${COMP_WORDS[1]}" = checks ] && [ "$COMP_CWORD" = 2 ]; then
        COMPREPLY=($(compgen -W "ACTIONS" -- "$word"))
    else
        local slugs
        slugs=$(hcl checks list --format plain 2> /dev/null | cut -f 2)
        COMPREPLY=($(compgen -W "$slugs" -- "$word"))
    fi
}
complete -o default -F _hcl hcl
"""

_ZSH = """\
autoload -U +X bashcompinit && bashcompinit
"""

_FISH = """\
complete -c hcl -f -n __fish_use_subcommand -a "COMMANDS"
complete -c hcl -f -n "__fish_seen_subcommand_from checks" -a "ACTIONS"
complete -c hcl -n "__fish_seen_subcommand_from run ping checks" \\
    -a "(hcl checks list --format plain 2> /dev/null | cut -f 2)"
"""

ACTIONS = "list show create edit pause resume mute delete log flips messages explain"

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH + _BASH, "fish": _FISH}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "completion",
        help="print what has a shell complete commands and slugs",
        description='For bash: eval "$(hcl completion bash)". For fish:'
        " hcl completion fish | source. Slugs are asked of the server, by HCL_API_KEY.",
    )
    parser.add_argument("shell", choices=sorted(_SCRIPTS))
    parser.set_defaults(function=_print, name="completion", quiet=False)


def _filled(script: str) -> str:
    return script.replace("COMMANDS", " ".join(COMMANDS)).replace("ACTIONS", ACTIONS)


def _print(options: argparse.Namespace) -> int:
    print(_filled(_SCRIPTS[options.shell]), end="")
    return 0
