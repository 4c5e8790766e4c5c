"""Lines and mails out of bytes that come as they like."""

import random

import pytest

from hcl.smtpd import incoming
from hcl.smtpd.incoming import Incoming


def reading(data: bytes, rng: random.Random) -> Incoming:
    """Return what reads these bytes, in pieces of any size."""
    rest = bytearray(data)

    async def read() -> bytes:
        if not rest:
            raise EOFError
        size = rng.randint(1, 20)
        piece = bytes(rest[:size])
        del rest[:size]
        return piece

    return Incoming(read)


async def test_a_mail_is_kept_up_to_a_limit_and_counted_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(incoming, "_SLACK", 16)
    rng = random.Random(3)
    for _ in range(3000):
        pieces = rng.choices((b"\r\n", b".", b"\n", b"\r", b"ab"), k=rng.randrange(40))
        mail = b"".join(pieces).removesuffix(b"\r") + b"\r\n"
        sent = (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:]
        keep = rng.randrange(60)
        wire = reading(sent + b".\r\nQUIT\r\n", rng)

        assert await wire.mail(keep) == (mail[:keep], len(mail))
        assert await wire.line() == b"QUIT"
