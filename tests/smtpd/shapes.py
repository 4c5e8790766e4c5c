"""Mails in the shapes that cron, backup programs, NAS boxes and mail programs send.

Each mail says in words of some language how a job went. Where people do not look, or
mean nothing by it, stand words that would tell otherwise.
"""

from base64 import b64encode, encodebytes
from collections.abc import Callable, Iterator
from itertools import cycle
from quopri import encodestring
from typing import NamedTuple

# The keywords of the check.
KEYWORDS = {
    "success_kw": "without problems, ohne Fehler beendet, 正常終了, завершено",
    "failure_kw": "error, Büro fehlgeschlagen, 失敗, ошибка",
    "start_kw": "has begun",
}
TRAP = "If you received this in error, it has begun. 失敗"

WORDS = [
    ("us-ascii", "success", "The backup of /home completed without problems today."),
    ("us-ascii", "fail", "rsync error: some files could not be transferred (code 23)"),
    ("utf-8", "start", "The backup of /home has begun."),
    ("utf-8", "success", "Sicherung für das Büro ohne Fehler beendet ✓"),
    ("iso-8859-1", "fail", "Die Sicherung ist für das Büro fehlgeschlagen."),
    ("windows-1252", "success", "„Büro“ wurde ohne Fehler beendet – 3 €"),
    ("iso-2022-jp", "success", "バックアップタスクは正常終了しました。"),
    ("iso-2022-jp", "fail", "バックアップに失敗しました。"),
    ("shift_jis", "success", "タスクは正常終了しました。"),
    ("euc-jp", "fail", "タスクに失敗しました。"),
    ("koi8-r", "success", "Резервное копирование завершено."),
    ("windows-1251", "fail", "Произошла ошибка."),
]


class Text(NamedTuple):
    """What a mail says, and by which charset and transfer encoding it is sent."""

    says: str
    charset: str
    encoding: str

    def part(self, kind: str = "text/plain", says: str = "", more: str = "") -> bytes:
        """Return a part of a mail; `more` comes behind its type."""
        data = (says or self.says).encode(self.charset)
        if self.encoding == "base64":
            data = encodebytes(data)
        elif self.encoding == "quoted-printable":
            data = encodestring(data)
        head = f"Content-Type: {kind}; charset={self.charset}{more}\n"
        head += f"Content-Transfer-Encoding: {self.encoding}\n\n"
        return head.encode() + data + b"\n"

    def page(self, body: str) -> bytes:
        """Return a part of HTML; %s is what it says."""
        says = self.says.replace(" ", "&nbsp;\n ")
        page = "<html><head><style>.error{}</style></head>" + body.replace("%s", says)
        return self.part("text/html", page)

    def subject(self, width: int = 12) -> bytes:
        """Return the subject in encoded words, one a line."""
        pieces = [self.says[i : i + width] for i in range(0, len(self.says), width)]
        words = [b64encode(piece.encode(self.charset)).decode() for piece in pieces]
        lines = "\n\t".join(f"=?{self.charset}?B?{word}?=" for word in words)
        return f"Subject: {lines}\n".encode()


def multi(kind: str, *parts: bytes, boundary: str = "=_b1") -> bytes:
    """Return a part that is made of others."""
    line = f"--{boundary}\n".encode()
    inner = b"".join(line + part + b"\n" for part in parts)
    head = (
        f'MIME-Version: 1.0\nContent-Type: multipart/{kind};\n\tboundary="{boundary}"'
    )
    return (
        f"{head}\n\nThis is a multi-part message, has begun.\n".encode()
        + inner
        + (f"--{boundary}--\n".encode())
    )


TRAPPED = Text(TRAP, "utf-8", "8bit")
SILENT = Text("Nothing to see here", "utf-8", "8bit")
ATTACHED = "\nContent-Disposition: attachment; filename=backup.log"
BINARY = b"Content-Type: application/%s\nContent-Transfer-Encoding: base64\n\n%s"
WITHIN = b"Content-Type: message/rfc822\n\n"
REPORT = b"Subject: Report\n"


def _signature(text: str = TRAP) -> bytes:
    return BINARY % (b"pkcs7-signature; name=smime.p7s", encodebytes(text.encode()))


def _cron(text: Text) -> bytes:
    head = b"From: root (Cron Daemon)\nSubject: Cron <root@nas> /usr/local/bin/job\n"
    return head + b"X-Cron-Env: <SHELL=/bin/sh>\n" + text.part()


def _subject(text: Text) -> bytes:
    return text.subject() + b"\n\n"


def _folded_subject(text: Text) -> bytes:
    raw = text.says.encode()
    return b"SUBJECT: " + raw.replace(b" ", b"\n \t ") + b"\nX-Nothing: error\n\nlog\n"


def _html(text: Text) -> bytes:
    row = "<table><tr><td>Task:</td><td><b>%s</b></td></tr><!-- error --></table>"
    return REPORT + text.page(f"<body>{row}<img alt='error'></body>")


def _title(text: Text) -> bytes:
    return REPORT + text.page("<title>%s</title><body>See the attachment</body>")


def _alternative(text: Text) -> bytes:
    parts = text.part(), text.page("<p>%s</p>")
    return REPORT + multi("alternative", *parts)


def _html_tells(text: Text) -> bytes:
    parts = SILENT.part(), text.page("<div>%s</div>"), TRAPPED.part("text/html")
    return REPORT + multi("alternative", *parts)


def _attachment(text: Text) -> bytes:
    archive = BINARY % (b"gzip; name=error.gz", b"ZXJyb3I=\n")
    attached = TRAPPED.part(more=ATTACHED), TRAPPED.part("text/html", more=ATTACHED)
    return REPORT + multi("mixed", text.part(), *attached, archive)


def _nested(text: Text) -> bytes:
    image = b"Content-Type: image/png\nContent-ID: <1>\n\nerror"
    page = multi("related", text.page("%s<img src=cid:1>"), image, boundary="c")
    both = multi("alternative", text.part(), page, boundary="=_b11")
    return REPORT + multi("mixed", both, TRAPPED.part(more=ATTACHED))


def _footer(text: Text) -> bytes:
    return REPORT + multi("mixed", text.part(), TRAPPED.part())


def _forwarded(text: Text) -> bytes:
    quoted = f"-------- Forwarded Message --------\n> {text.says}\n"
    return b"Subject: Fwd: Report\n" + text.part(says=quoted)


def _forwarded_within(text: Text) -> bytes:
    inner = WITHIN + REPORT + text.part()
    return b"Subject: Fwd: Report\n" + multi("mixed", b"\n \n", inner)


def _smime_signed(text: Text) -> bytes:
    kind = 'signed; protocol="application/pkcs7-signature"; micalg=sha-256'
    return REPORT + multi(kind, text.part(), _signature())


def _calendar(text: Text) -> bytes:
    parts = text.part(), TRAPPED.part("text/calendar; method=REQUEST")
    return REPORT + multi("alternative", *parts)


def _flowed(text: Text) -> bytes:
    says = text.says.replace(" ", " \n")
    return REPORT + text.part(says=says, more="; format=flowed")


def _mbox(text: Text) -> bytes:
    return b"From root@nas Mon Nov 30 03:10:00 2026\n" + REPORT + text.part()


SPEAKING: list[Callable[[Text], bytes]] = [
    *(_cron, _subject, _folded_subject, _html, _title, _alternative, _html_tells),
    *(_attachment, _nested, _footer, _forwarded, _forwarded_within, _smime_signed),
    *(_calendar, _flowed, _mbox),
]


def _auto_reply() -> bytes:
    head = b"Auto-Submitted: auto-replied\nSubject: Automatic reply: Report\n"
    return head + multi("mixed", SILENT.part(), WITHIN + TRAPPED.part())


def _bounce() -> bytes:
    status = b"Content-Type: message/delivery-status\n\nAction: failed\nStatus: error\n"
    kind = "report; report-type=delivery-status"
    return REPORT + multi(kind, SILENT.part(), status, WITHIN + TRAPPED.part())


def _encrypted() -> bytes:
    blob = BINARY % (b"octet-stream", encodebytes(TRAP.encode()))
    kind = 'encrypted; protocol="application/pgp-encrypted"'
    return REPORT + multi(kind, b"Content-Type: application/pgp-encrypted\n\n1\n", blob)


def _smime_opaque() -> bytes:
    kind = b"pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
    return REPORT + BINARY % (kind, encodebytes(TRAP.encode()))


def _invitation() -> bytes:
    return REPORT + TRAPPED.part("text/calendar; method=REPLY")


def _only_attached() -> bytes:
    attached = TRAPPED.part("text/html", more=ATTACHED)
    return REPORT + multi("mixed", SILENT.part(), attached)


# As old programs begin mails, with hardly any MIME.
BARE = [
    *(
        b"",
        b"\n",
        b"Subject: log\n\n",
        b"Subject: log\n\n\n",
        b"Content-Type: TEXT\n\n",
    ),
    b"Content-Type: text/plain; charset=ANSI_X3.4-1968\n\n",
]
MUTE = [_auto_reply, _bounce, _encrypted, _smime_opaque, _invitation, _only_attached]


def mails() -> Iterator[tuple[str, bytes, str]]:
    """Yield mails, each with its name and the action that it means to the check."""
    for shape in SPEAKING:
        encodings = cycle(("8bit", "quoted-printable", "base64"))
        for (charset, action, says), encoding in zip(WORDS, encodings, strict=False):
            message = shape(Text(says, charset, encoding))
            yield f"{shape.__name__} {charset} {encoding} {action}", message, action
    for mute in MUTE:
        yield mute.__name__, mute(), "ign"
    for _, action, says in WORDS[:2]:
        for head in BARE:
            yield f"bare {head!r} {action}", head + says.encode(), action
