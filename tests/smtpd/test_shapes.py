"""Two hundred mails in the shapes of programs: no wrong action, no lost ping."""

from pathlib import Path

from tests.smtpd.serving import MailServe
from tests.smtpd.shapes import KEYWORDS, mails


def test_mails_of_all_shapes_count_as_people_read_them(tmp_path: Path) -> None:
    sent = list(mails())
    with MailServe(tmp_path) as serve, serve.client() as client:
        client.ehlo()
        reading = serve.check(filter_subject=True, filter_body=True, **KEYWORDS)
        taking = serve.check(name="Takes all")
        to = [reading["address"], taking["address"]]
        for _, message, _ in sent:
            assert client.sendmail("root@nas", to, message, ["BODY=8BITMIME"]) == {}

        read, taken = serve.pings(reading)[::-1], serve.pings(taking)

    wrong = [
        (name, ping["type"], action)
        for (name, _, action), ping in zip(sent, read, strict=True)
        if ping["type"] != action
    ]
    assert wrong == []
    assert len(sent) >= 200
    assert [ping["type"] for ping in taken] == ["success"] * len(sent)
