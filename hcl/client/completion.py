"""`hcl completion`: the shell completes commands, and the slugs of checks."""

from __future__ import annotations

import argparse

from hcl.client import COMMANDS
from hcl.client.api import API, APIError
from hcl.client.settings import SettingsError, is_slug, load

_BASH = """\
_hcl() {
    local word=${COMP_WORDS[COMP_CWORD]}
    # Behind -- stands the job, which is completed as all else.
    case " ${COMP_WORDS[*]:0:$COMP_CWORD} " in *" -- "*) return ;; esac
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "COMMANDS" -- "$word"))
    elif [ "${COMP_WORDS[1]}" = checks ] && [ "$COMP_CWORD" = 2 ]; then
        COMPREPLY=($(compgen -W "ACTIONS" -- "$word"))
    else
        case ${COMP_WORDS[1]} in
            run | ping | checks)
                COMPREPLY=($(compgen -W "$(hcl completion slugs)" -- "$word")) ;;
        esac
    fi
}
complete -o default -F _hcl hcl
"""

_ZSH = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
autoload -U +X bashcompinit && bashcompinit
"""

_FISH = """\
complete -c hcl -f -n __fish_use_subcommand -a "COMMANDS"
complete -c hcl -f -n "__fish_seen_subcommand_from checks" -a "ACTIONS"
complete -c hcl -n "__fish_seen_subcommand_from run ping checks; \\
    and not contains -- -- (commandline -opc)" -a "(hcl completion slugs)"
"""

ACTIONS = "list show create edit pause resume mute delete log flips messages explain"

# Nobody waits longer at a prompt.
_PATIENCE = 2.0

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH + _BASH, "fish": _FISH}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "completion",
        help="print what has a shell complete commands and slugs",
        description='For bash: eval "$(hcl completion bash)". For fish:'
        " hcl completion fish | source. Slugs are asked of the server, by HCL_API_KEY.",
    )
    parser.add_argument(
        "shell",
        choices=[*sorted(_SCRIPTS), "slugs"],
        help="whose script; or slugs, which those scripts ask for",
    )
    parser.set_defaults(function=_print, name="completion", quiet=False)


def _filled(script: str) -> str:
    return script.replace("COMMANDS", " ".join(COMMANDS)).replace("ACTIONS", ACTIONS)


def _print(options: argparse.Namespace) -> int:
    if options.shell == "slugs":
        return _print_slugs()
    print(_filled(_SCRIPTS[options.shell]), end="")
    return 0


def _print_slugs() -> int:
    try:
        checks = API(load(), _PATIENCE).things("checks/", "checks")
    except (APIError, SettingsError):
        # Words between those that are typed help nobody.
        return 1
    # bash runs what it is given to choose from: `$(reboot)` is no slug.
    slugs = [str(check.get("slug")) for check in checks]
    print("\n".join(filter(is_slug, slugs)))
    return 0
