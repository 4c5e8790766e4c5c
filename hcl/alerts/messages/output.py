"""The end of a ping's body, as text: that is where a job's last words are."""

from typing import NamedTuple

from hcl.model import Ping
from hcl.words import mail as mails
from hcl.words.lines import one_line, printed

# How much of a body mail shows: bytes of a body as it came, characters of a mail's.
EXCERPT = 10_000


class Output(NamedTuple):
    """Text that a job wrote; `is_cut`: there was more before it."""

    text: str = ""
    is_cut: bool = False

    def end(self, length: int) -> "Output":
        """Return its last characters, of whole lines if there are some."""
        if len(self.text) <= length:
            return self
        if not length:
            return NO_OUTPUT
        kept = self.text[-length:]
        _, _, whole = kept.partition("\n")
        return Output((whole if whole.strip() else kept).strip("\n"), True)


NO_OUTPUT = Output()


def output_of(ping: Ping | None) -> Output:
    """Return what a ping's body says, as people read it."""
    if ping is None:
        return NO_OUTPUT
    if ping.scheme == "email":
        return _mail(ping.body)
    kept = ping.body[-EXCERPT:]
    is_cut = len(kept) < len(ping.body)
    if is_cut:
        # The cut may go through a character: its remaining bytes say nothing.
        kept = kept[:4].lstrip(bytes(range(0x80, 0xC0))) + kept[4:]
    return Output(printed(kept.decode("utf-8", "replace")), is_cut)


def _mail(mail: bytes) -> Output:
    """Return the subject and the first text of a mail, as people read it."""
    subject = one_line(mails.subject(mail))
    texts = map(printed, mails.texts(mail))
    text = next(filter(None, texts), "")
    is_cut = len(text) > EXCERPT
    head = f"Subject: {subject}" if subject else ""
    return Output("\n\n".join(filter(None, (head, text[-EXCERPT:]))), is_cut)
