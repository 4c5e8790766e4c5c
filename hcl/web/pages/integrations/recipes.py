"""What to write into hcl.toml for each kind of integration; pure."""

import json
from typing import NamedTuple


class Recipe(NamedTuple):
    """A kind that is offered: its words, a hint, and the keys that it needs.

    `url` holds {secret} where something is to be made up that nobody can guess.
    """

    kind: str
    label: str
    words: str
    hint: str
    lines: tuple[str, ...]
    name: str = ""


def _service(kind: str, label: str, words: str, url: str, hint: str) -> Recipe:
    return Recipe(kind, label, words, hint, (f"url = {json.dumps(url)}",))


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "email",
        "Mail",
        "your own mailbox",
        "Mail goes out through the server of [smtp]: your provider’s, or your own.",
        ('to = ["me@example.org"]',),
    ),
    _service(
        "ntfy",
        "ntfy",
        "push to a phone",
        "ntfys://ntfy.sh/hcl-{secret}",
        "Subscribe to this topic in the ntfy app. Whoever knows it can read along:"
        " keep it to yourself, or use a server of your own.",
    )._replace(name="Phone"),
    _service(
        "telegram",
        "Telegram",
        "a chat",
        "tgram://123456789:the-token-of-your-bot/your-chat-id",
        "Ask @BotFather for a bot: it gives you the token. Write to the bot once, and"
        " @userinfobot tells you the id of your chat.",
    ),
    _service(
        "discord",
        "Discord",
        "a channel",
        "https://discord.com/api/webhooks/id/token",
        "In the channel’s settings: Integrations, Webhooks, New webhook, Copy URL.",
    ),
    _service(
        "slack",
        "Slack",
        "a channel",
        "https://hooks.slack.com/services/T0000/B0000/token",
        "Make an app at Slack, switch its incoming webhooks on, and copy the URL.",
    ),
    _service(
        "matrix",
        "Matrix",
        "a room",
        "matrixs://user:password@matrix.example.org/#room:matrix.example.org",
        "Make an account for hcl, and invite it into the room.",
    ),
    _service(
        "gotify",
        "Gotify",
        "push",
        "gotifys://gotify.example.org/token",
        "In Gotify: Apps, Create application; its token goes behind the host.",
    ),
    _service(
        "po",
        "Pushover",
        "push",
        "pover://user-key@app-token",
        "Your user key stands on Pushover’s first page; create an application there"
        " for the token.",
    ),
    _service(
        "signal",
        "Signal",
        "a chat",
        "signal://localhost:8080/+37120000000/+37120000001",
        "It needs signal-cli-rest-api: host and port, then the number that sends, then"
        " yours.",
    ),
    Recipe(
        "webhook",
        "Webhook",
        "any HTTP server",
        "$NAME, $STATUS and others are filled in; leave up out not to hear of it.",
        (
            'down = { method = "POST", url = "https://example.org/hook",'
            ' body = "$NAME is $STATUS" }',
            'up = { method = "POST", url = "https://example.org/hook",'
            ' body = "$NAME is $STATUS" }',
        ),
    ),
    Recipe(
        "shell",
        "Shell",
        "your own command",
        "It runs as the user of hcl; exit status 0 counts as delivered.",
        (
            'down = "/usr/local/bin/lamp red $NAME"',
            'up = "/usr/local/bin/lamp green $NAME"',
        ),
    ),
    _service(
        "apprise",
        "Others",
        "by Apprise",
        "json://localhost:8000/path",
        "Apprise knows over a hundred services; each has a URL of its own form.",
    ),
)

SMTP = """\
[smtp]
host = "smtp.example.org"
username = "me"
password = { file = "smtp-password" }
from = "hcl@example.org"
"""


def of_kind(kind: str) -> Recipe | None:
    """Return the recipe for a kind; None: none is offered."""
    return next((recipe for recipe in RECIPES if recipe.kind == kind), None)


def block(recipe: Recipe, secret: str) -> str:
    """Write what hcl.toml needs; `secret` is in no other block."""
    name = json.dumps(recipe.name or recipe.label)
    lines = [f"name = {name}", f'kind = "{recipe.kind}"', *recipe.lines]
    text = "\n".join(line.replace("{secret}", secret) for line in lines)
    quiet = '# quiet_hours = { from = "22:00", to = "07:00", tz = "Europe/Riga" }'
    return f"[[projects.channels]]\n{text}\n{quiet}\n"
