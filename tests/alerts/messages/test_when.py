from dataclasses import replace

import pytest

from hcl.alerts.messages.letter import write_letter
from hcl.alerts.messages.rendering import in_text
from hcl.model import Kind
from tests.alerts import NOW, a_message, an_alert


@pytest.mark.parametrize(
    ("kind", "tz", "told"),
    [
        ("simple", "UTC", "2026-01-05 06:00:06 Europe/Riga,"),
        ("cron", "Europe/Riga", "2026-01-05 06:00:06 Europe/Riga,"),
        ("cron", "UTC", "2026-01-05 06:00:06 Europe/Riga (04:00:06 UTC),"),
        (
            "oncalendar",
            "Asia/Kolkata",
            "2026-01-05 06:00:06 Europe/Riga (09:30:06 Asia/Kolkata),",
        ),
    ],
)
def test_moments_are_those_of_people_and_of_the_check(
    kind: Kind, tz: str, told: str
) -> None:
    alert = replace(an_alert(kind=kind, tz=tz), home="Europe/Riga")

    text = in_text(write_letter(a_message(alert), NOW))

    assert f"down since {told} 5 minutes ago" in text
