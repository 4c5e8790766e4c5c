import encodings
import random
import time
from base64 import b64encode
from email.message import EmailMessage

import pytest

from hcl.words import mail as mails

HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def text(message: bytes) -> str:
    """Return the one text of a mail that has one."""
    (only,) = mails.texts(message)
    return only


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"Subject: all good", "all good"),
        (b"SUBJECT:all good  ", "all good"),
        (b"Subject: all\r\n good", "all good"),
        (b"Subject: all\n\tgood", "all\tgood"),
        (b"Subject: =?utf-8?Q?gr=C3=BCn_ok?=", "grün ok"),
        (b"Subject: =?UTF-8?b?Z3LDvG4=?= ok", "grün ok"),
        (b"Subject: x =?iso-8859-1?q?gr=FCn?=", "x grün"),
        (b"Subject: =?utf-8?q?al?=\r\n =?utf-8?q?l_good?=", "all good"),
        (b"Subject: =?utf-8?q?gr=C3?= =?utf-8?q?=BCn?=", "grün"),
        (b"Subject: =?utf-8*de?q?gr=C3=BCn?=", "grün"),
        (b"Subject: =?koi8-r?B?xME=?= =?iso-8859-1?Q?=FC?=", "даü"),
        (b"Subject: gr\xc3\xbcn", "grün"),
        (b"Subject: gr\xfcn", "gr\ufffdn"),
        (b"Subject: =?no-such?q?good?=", "good"),
        (b"Subject: =?utf-8?b?Z?= x", " x"),
        (b"Subject: =?utf-8?b?YWxsIGdvb2Q?=", "all good"),
        (b"Subject: =?utf-8?b?YWxsIGdvbw?= d", "all goo d"),
        (b"Subject: =?utf-8?q?open", "=?utf-8?q?open"),
        (b"Subject:", ""),
        (b"X-Subject: bad\r\nSubject: good\r\nSubject: second", "good"),
        (b"To: x\r\n\r\nSubject: in the body", ""),
        (b"From root Mon Jan  1\nSubject: good", "good"),
        (b"no header\r\nSubject: bad", ""),
        (b"", ""),
    ],
)
def test_subject_is_decoded(header: bytes, subject: str) -> None:
    assert mails.subject(header) == subject


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"Subject: x\r\n\r\nall good\r\n", "all good\n"),
        (b"Subject: x\n\nall good\n", "all good\n"),
        (b"all good\nand more", "all good\nand more"),
        (b"\r\nall good", "all good"),
        (b"Content-Transfer-Encoding: base64\n\nYWxsIGdv\nb2Q=\n", "all good"),
        (b"Content-Transfer-Encoding: base64\n\nYWxsIGdvb2Q", "all good"),
        (b"Content-Transfer-Encoding: base64\n\nYWxsIGdvb2", "all goo"),
        (b"Content-Transfer-Encoding: base64\n\nYWxsIGdvb", "all go"),
        (b"Content-Transfer-Encoding: Quoted-Printable\n\nal=\r\nl=20good", "all good"),
        (b"Content-Transfer-Encoding: quoted-printable\n\n=zz good=", "=zz good"),
        (b"Content-Transfer-Encoding: odd\n\nall good", "all good"),
        (b"Content-Type: text/plain; charset=iso-8859-1\n\ngr\xfcn", "grün"),
        (b'Content-Type: TEXT/PLAIN; Charset="ISO-8859-15"\n\n\xa4', "€"),
        (b"Content-Type: text/plain; charset=us-ascii\n\ngr\xc3\xbcn", "grün"),
        (b"Content-Type: text/plain; charset=no-such\n\ngood", "good"),
        (b"Content-Type: text/plain; charset=rot13\n\ngood", "good"),
        (b"Content-Type: text/plain; charset=unicode_escape\n\n\\z", "\\z"),
        (b"Content-Type: text/plain; charset=a\0b\n\ngood", "good"),
        (b"Content-Type: what is this\n\ngood", "good"),
        (b"Content-Type: multipart/mixed\n\ngood", "good"),
        (b"Content-Type: text/plain; format=flowed\n\nall \r\ngood", "all good"),
        (
            b"Content-Type: text/plain; format=flowed; delsp=yes\n\nal \nl\n  good",
            "all\n good",
        ),
    ],
)
def test_plain_text_is_decoded(message: bytes, found: str) -> None:
    assert text(message) == found


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"Content-Type: text/plain (as cron has it)", b"gr\xc3\xbcn"),
        (b"Content-Type: text/plain; charset=iso-8859-1 (Latin 1)", b"gr\xfcn"),
        (b"Content-Type: text/plain; charset*=us-ascii'en'iso-8859%2D1", b"gr\xfcn"),
        (b"Content-Type: text/plain; charset*0=iso-; charset*1=8859-1", b"gr\xfcn"),
        (
            b'Content-Type: text/plain; name="a; charset=utf-16"; charset=latin1',
            b"gr\xfcn",
        ),
        (b"Content-Transfer-Encoding: base64 (RFC 2045)", b"Z3LDvG4="),
        (b"Content-Transfer-Encoding: base64;", b"Z3LDvG4="),
        (
            b"Content-Type: multipart/mixed (two); boundary=b",
            b"--b\n\ngr\xc3\xbcn\n--b--",
        ),
        (
            b'Content-Type: multipart/mixed; x="; boundary=z"; boundary="(b)"',
            b"--(b)\n\ngr\xc3\xbcn\n--(b)--",
        ),
        (
            b'Content-Type: multipart/mixed; boundary*1=b; boundary*0="a "',
            b"--a b\n\ngr\xc3\xbcn\n--a b--",
        ),
    ],
)
def test_headers_are_read_however_they_are_written(header: bytes, body: bytes) -> None:
    assert text(header + b"\n\n" + body) == "grün"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (b"<p>all <b>good</b></p>", "all good"),
        (b"<html><body>all&nbsp;go&#111;d &lt;b&gt;", "all good <b>"),
        (b"all\r\n  good", "all good"),
        (b"go<b>od</b>", "good"),
        (b"<div>one</div><div>two</div>three<br/>four", "one\ntwo\nthree\nfour"),
        (b"<table><tr><td>Status:</td><td>good</td></tr>", "Status: good"),
        (b"<style>p{bad}</style><SCRIPT>bad</SCRIPT >good", "good"),
        (b"<title>bad</title><!-- bad > -->good<!-- bad", "good"),
        (b'<img alt="bad">good<a href="bad">', "good"),
        (b"<!DOCTYPE html><?xml bad?>1 < 2 & 3", "1 < 2 & 3"),
        (b"gr\xc3\xbcn <", "grün <"),
        (b"good &#" + b"9" * 5000 + b";", "good &#" + "9" * 5000 + ";"),
    ],
)
def test_html_is_read_as_people_see_it(source: bytes, found: str) -> None:
    assert text(HTML + source) == found


def test_plain_text_and_html_are_read_and_attachments_are_not() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Report"
    mail.set_content("plain ✓")
    mail.add_alternative("<p>html&nbsp;✓</p>", subtype="html")
    mail.add_attachment("attached", filename="log.txt")
    mail.add_attachment(b"binary", maintype="application", subtype="octet-stream")

    assert mails.texts(mail.as_bytes()) == ("plain ✓\n", "html ✓")
    assert mails.subject(mail.as_bytes()) == "Report"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"before\n--b\n\none\n--b\n" + HTML + b"two\n--b--\nafter", ("one", "two")),
        (b"--b  \r\n\r\none\r\n--b--  ", ("one\n",)),
        (b"--b\n\none", ("one",)),
        (b"--b\n\none\n--bb\n", ("one\n--bb\n",)),
        (b"--b\n--b\n\none\n--b--", ("one",)),
        (b"--b--\n\none", ()),
        (b"one", ()),
        (b"--b\n" + MIXED + b"--b\n\none\n--b--", ("one",)),
    ],
)
def test_parts_are_found_even_if_they_are_broken(
    body: bytes, found: tuple[str, ...]
) -> None:
    stripped = tuple(part.strip() for part in mails.texts(MIXED + body))

    assert stripped == tuple(part.strip() for part in found)


def test_a_text_within_50_levels_of_parts_is_found() -> None:
    levels = [
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(50)
    ]

    assert "good" in text(b"".join(levels) + b"\r\ngood")


def part(kind: bytes, content: bytes) -> bytes:
    return b"--b\r\nContent-Type: " + kind + b"\r\n\r\n" + content + b"\r\n"


PLAIN, PAGE = part(b"text/plain", b"one"), part(b"text/html", b"<p>two</p>")
BLANK, FOOTER = part(b"text/plain", b" "), part(b"text/plain", b"footer")


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (PLAIN + PAGE, ("one", "two")),
        (PLAIN + FOOTER, ("one",)),
        (PLAIN + PAGE + FOOTER + PAGE, ("one", "two")),
        (BLANK + FOOTER, ("footer",)),
        (BLANK + PAGE + FOOTER, (" ", "two")),
        (part(b"text/calendar", b"no") + PAGE, ("two",)),
        (part(b"text/plain\r\nContent-Disposition: attachment", b"no"), ()),
        (part(b"image/png", b"no") + PLAIN, ("one",)),
        (part(b"multipart/alternative; boundary=c", b"") + PLAIN, ("one",)),
        (part(b"message/rfc822", b"\r\nwithin"), ("within",)),
        (BLANK + part(b"message/rfc822", HTML + b"within"), ("within",)),
        (PLAIN + part(b"message/rfc822", b"\r\nwithin"), ("one",)),
        (
            part(b"message/rfc822\r\nContent-Transfer-Encoding: base64", b"DQp3eA=="),
            ("wx",),
        ),
        (
            part(b"message/rfc822\r\nContent-Disposition: attachment", b"\r\nno"),
            (),
        ),
        (part(b"message/delivery-status", b"no"), ()),
        (part(b"application/pgp-encrypted", b"no"), ()),
    ],
)
def test_the_first_plain_and_the_first_html_part_are_the_text(
    parts: bytes, found: tuple[str, ...]
) -> None:
    texts = mails.texts(MIXED + parts + b"--b--")

    assert tuple(text.rstrip("\r\n") for text in texts if text) == found


@pytest.mark.parametrize(
    ("source", "forms"),
    [
        (b"<div>Status:</div><div>OK</div>", ("Status:\nOK", "Status:OK")),
        (b"<td>Status:</td><td>OK</td>", ("Status: OK", "Status:OK")),
        (b"Sta<b>tus</b>:<br>OK", ("Status:\nOK", "Status:OK")),
        (b"<title>Back&amp;up</title>done", ("Back&up\ndone", "Back&updone")),
        (b"<script>bad</script><!-- bad -->go&shy;od", ("good", "good")),
        (b"go\xe2\x80\x8bod", ("good", "good")),
        (b"all\r\n<b>good</b>", ("all good", "all\r\ngood")),
    ],
)
def test_html_is_searched_in_lines_and_without_its_tags(
    source: bytes, forms: tuple[str, str]
) -> None:
    assert mails.searched(HTML + source) == forms


@pytest.mark.parametrize(
    ("head", "body", "found"),
    [
        (b"", b'<meta charset="iso-8859-15">\xa4', "€"),
        (b"", b"<META content='text/html; charset=koi8-r'>\xc4", "д"),
        (b"; charset=utf-8", b"<meta charset=koi8-r>\xc3\xbc", "ü"),
        (b"", b"<p>" * 400 + b"<meta charset=koi8-r>\xc3\xbc", "ü"),
    ],
)
def test_a_page_may_name_its_charset_itself(
    head: bytes, body: bytes, found: str
) -> None:
    assert text(b"Content-Type: text/html" + head + b"\n\n" + body).strip() == found


@pytest.mark.parametrize(
    ("charset", "data", "found"),
    [
        ("US-ASCII", b"gr\xc3\xbcn", "grün"),
        ("ANSI_X3.4-1968", b"gr\xc3\xbcn", "grün"),
        ("ISO_8859-1:1987", b"gr\xfcn \x80", "grün €"),
        ("Latin1", b"gr\xfcn", "grün"),
        ("windows-1252", b"\x80", "€"),
        ("cp1251", b"\xe4\xe0", "да"),
        ("Windows-1251", b"\xe4\xe0", "да"),
        ("koi8-u", b"\xa6", "і"),
        ("ISO-2022-JP", b"\x1b$B@.8y\x1b(B", "成功"),
        ("iso-2022-jp", b"\x1b$B@.8y", "成功"),
        ("Shift_JIS", b"\x90\xac\x8c\xf7 \x87\x40", "成功 ①"),
        ("euc-jp", b"\xc0\xae\xb8\xf9", "成功"),
        ("GB2312", b"\xb3\xc9\xb9\xa6", "成功"),
        ("big5", b"\xa6\xa8\xa5\x5c", "成功"),
        ("ks_c_5601-1987", b"\xbc\xba\xb0\xf8", "성공"),
        ("ibm850", b"\x81", "ü"),
        ("cp437", b"\x81", "ü"),
        ("utf-16le", b"o\0k\0", "ok"),
        ("utf-7", b"gr+APw-n", "grün"),
        ("macintosh", b"\x9f", "ü"),
        ("x-unknown", b"gr\xc3\xbcn", "grün"),
        ("idna", b"xn--grn-hoa", "xn--grn-hoa"),
        ("punycode", b"grn-hoa", "grn-hoa"),
        ("rot13", b"ok", "ok"),
        ("unicode_escape", b"\\u00fc", "\\u00fc"),
        ("mbcs", b"ok", "ok"),
    ],
)
def test_charsets_of_mail_are_known(charset: str, data: bytes, found: str) -> None:
    head = f"Content-Type: text/plain; charset={charset}\n\n".encode()

    assert text(head + data) == found
    if charset != "utf-16le":
        word = b"Subject: =?%b?B?%b?=" % (charset.encode(), b64encode(data))
        assert mails.subject(word) == found


def test_names_of_charsets_leave_nothing_behind() -> None:
    names = [f"x-{n}" for n in range(9000)]
    subject = " ".join(f"=?{name}?q?a?=" for name in names)
    mails.subject(b"Subject: x")
    before = set(encodings._cache)

    mails.subject(b"Subject: " + subject.encode())
    for name in names:
        mails.texts(f"Content-Type: text/plain; charset={name}\n\na".encode())

    assert set(encodings._cache) == before


@pytest.mark.parametrize(
    "message",
    [
        *(
            HTML + piece * (1_000_000 // len(piece))
            for piece in (b"<", b"<a", b"<!--", b"<script", b"</script ", b"&#", b" ")
        ),
        HTML + b"<script>" + b"</script" + b" " * 1_000_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 20_000,
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n)
            for n in range(20_000)
        ),
        MIXED + b"--b\r\n" * 200_000,
        b"A: b\r\n" * 160_000,
        b"Subject: " + b"=?a?q?" * 160_000,
        b"Subject: x" + b"\r\n " * 300_000,
        b"Content-Type: text/plain; charset=punycode\n\n" + b"a-b9" * 250_000,
        b"Content-Type: multipart/mixed; " + b"boundary=;" * 100_000,
        b"\0" * 1_000_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" * 12_000,
        b"Content-Type: message/rfc822\r\n\r\n" * 30_000,
        HTML + b"<title>" * 140_000,
        HTML + b"<meta " * 160_000,
    ],
    ids=lambda message: ascii(message[-12:]) + str(len(message)),
)
def test_a_megabyte_of_anything_is_read_soon(message: bytes) -> None:
    mails.texts.cache_clear()
    mails.searched.cache_clear()
    begun = time.process_time()

    mails.subject(message)
    mails.texts(message)
    mails.searched(message)

    # A tenth of it, mostly; what grows with the square of the size takes minutes.
    assert time.process_time() - begun < 5


def test_random_mails_raise_nothing() -> None:
    rng = random.Random(7)
    pieces = [
        *(b"Subject: ", b"Content-Type: ", b"multipart/mixed; boundary=b", b"\r\n"),
        *(b"\n\n", b"--b", b"--b--", b"text/html", b"; charset=", b"utf-16", b"\0"),
        *(b"Content-Transfer-Encoding: base64", b"quoted-printable", b"=?utf-8?b?"),
        *(b"?=", b"=", b"\xff\xfe", b"<p", b">", b"&#x110000;", b"Z", b"format=flowed"),
        *(b"utf-7", b"hz", b"idna", b"iso-2022-kr", b'"', b";", b" ", b"&notit;"),
    ]
    for _ in range(5000):
        message = b"".join(rng.choices(pieces, k=rng.randrange(40)))
        mails.subject(message)
        mails.texts(message)
        mails.searched(message)
