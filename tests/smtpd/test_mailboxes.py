"""Which check an address stands for."""

import pytest

from hcl.pings.arrival import Target
from hcl.smtpd.mailboxes import Mailboxes
from hcl.smtpd.refusals import Refusals
from tests.app import App

CODE = "b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"
HOME, SHED, TWIN = "HomeHomeHomeHomeHome22", "Shed-1", "TWINtwinTWINtwinTWIN22"
KEYS = [HOME, SHED, TWIN, TWIN.swapcase(), "_"]
STRANGER = "StrangerStrangerStrang"


@pytest.fixture
async def mailboxes(app: App) -> Mailboxes:
    made = Mailboxes(app.parts.pinging, Refusals(), app.clock)
    made.use("Hc.Test", KEYS)
    return made


MAILBOXES = [
    (CODE, Target(code=CODE)),
    (CODE.upper(), Target(code=CODE)),
    (f"{HOME}+job", Target(ping_key=HOME, slug="job")),
    (f"{HOME.lower()}+JOB_1", Target(ping_key=HOME, slug="job_1")),
    (f"{HOME.upper()}+Job", Target(ping_key=HOME, slug="job")),
    (f"{SHED}+job", Target(ping_key=SHED, slug="job")),
    (f"{SHED.lower()}+job", Target(ping_key=SHED, slug="job")),
    ("_+job", Target(ping_key="_", slug="job")),
    (f"{TWIN}+job", Target(ping_key=TWIN, slug="job")),
    (f"{TWIN.swapcase()}+job", Target(ping_key=TWIN.swapcase(), slug="job")),
    # Nobody knows which of the two it was, but somebody may have made it up.
    (f"{TWIN.lower()}+job", Target(ping_key=TWIN.lower(), slug="job")),
    (f"{STRANGER}+job", Target(ping_key=STRANGER, slug="job")),
    (f"{HOME}+{'x' * 100}", Target(ping_key=HOME, slug="x" * 100)),
    (f"{HOME}+{'x' * 101}", None),
    (f"{STRANGER}x+job", None),
    (f"{STRANGER[1:]}+job", None),
    (f"{CODE}+job", None),
    (f"{CODE.replace('-', '')}", None),
    (f"{CODE[:14]}1{CODE[15:]}", None),
    (f"{CODE[:19]}c{CODE[20:]}", None),
    ("00000000-0000-0000-0000-000000000000", None),
    (f" {CODE}", None),
    (f"{CODE}\n", None),
    (HOME, None),
    (f"{HOME}+", None),
    (f"{HOME}+job+", None),
    (f"{HOME}+jöb", None),
    ("postmaster", None),
    ("", None),
]


async def test_mailbox_is_a_checks_or_can_be_none(mailboxes: Mailboxes) -> None:
    for mailbox, target in MAILBOXES:
        for domain in ("Hc.Test", "hc.test", "HC.TEST", "hc.test."):
            address = f"{mailbox}@{domain}"
            assert mailboxes.target_of(address) == target, address


DOMAINS = [
    ("hc.test.", "HC.test", True),
    ("192.0.2.1", "[192.0.2.1]", True),
    ("2001:db8::1", "[IPv6:2001:DB8::1]", True),
    ("hc.test", "sub.hc.test", False),
    ("hc.test", "hc.test.evil", False),
    ("hc.test", "[hc.test", False),
    ("hc.test", "", False),
]


async def test_domain_is_compared_as_carriers_keep_it(mailboxes: Mailboxes) -> None:
    for domain, asked, is_ours in DOMAINS:
        mailboxes.use(domain, KEYS)
        target = mailboxes.target_of(f"{CODE}@{asked}")
        assert (target is not None) is is_ours, asked


async def test_keys_of_a_reload_count(mailboxes: Mailboxes) -> None:
    mailboxes.use("hc.test", ["other"])

    assert mailboxes.target_of(f"{SHED}+job@hc.test") is None
    assert mailboxes.target_of("OTHER+job@hc.test") == Target("", "other", "job")


async def test_domain_is_the_same_in_letters_and_for_the_net(
    mailboxes: Mailboxes,
) -> None:
    mailboxes.use("xn--bcher-kva.example", KEYS)

    for domain in ("bücher.example", "BÜCHER.example.", "XN--bcher-kva.example"):
        found = mailboxes.target_of(f"{CODE}@{domain}")
        assert found == Target(code=CODE), domain
    for domain in ("bucher.example", "büch er.example", "ü" * 70, "", "[bücher]"):
        assert mailboxes.target_of(f"{CODE}@{domain}") is None
