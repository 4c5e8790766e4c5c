import pytest

from hcl.config.net.addresses import MailAddress, parse_address


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("hcl@example.org", "", "hcl@example.org"),
        ("<hcl@example.org>", "", "hcl@example.org"),
        ("hcl [home] <hcl@example.org>", "hcl [home]", "hcl@example.org"),
        ("hcl; a: b\\c (d) <h@b.org>", "hcl; a: b\\c (d)", "h@b.org"),
        (
            '"Night, Ops @ home" <hcl@example.org>',
            "Night, Ops @ home",
            "hcl@example.org",
        ),
        (r'"a \"b\" \\ c" <a@b.org>', 'a "b" \\ c', "a@b.org"),
        ("Wächter Ö. <hcl@example.org>", "Wächter Ö.", "hcl@example.org"),
        ("ops@bücher.example", "", "ops@xn--bcher-kva.example"),
        ("Ops <ops@Straße.example>", "Ops", "ops@xn--strae-oqa.example"),
        ('"john doe"@example.org', "", '"john doe"@example.org'),
        ("jörg@example.org", "", "jörg@example.org"),
        ("a..b@example.org", "", "a..b@example.org"),
        ("root@[192.0.2.1]", "", "root@[192.0.2.1]"),
        ("hcl@localhost", "", "hcl@localhost"),
    ],
)
def test_name_and_address_are_told_apart(text: str, name: str, address: str) -> None:
    local, _, domain = address.rpartition("@")

    assert parse_address(text) == MailAddress(name, local, domain)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "me",
        "a@b@c.org",
        "a b@c.org",
        "a@b.org, c@d.org",
        "a@b.org c@d.org <e@f.org>",
        "Night, Ops <a@b.org>",
        '"open <a@b.org>',
        "a@b.org>",
        "nobody> RCPT TO:<evil@example.org",
        "a@b.org\r\nBcc: c@d.org",
        "Name\r\nBcc: x <a@b.org>",
        '"Na\nme" <a@b.org>',
        "a@-b.org",
        "a@b..org",
        "a@" + "ü" * 80 + ".org",
        "a@[b]",
        "@b.org",
        "a@",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_address(text)
