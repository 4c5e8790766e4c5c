"""What holds of channels whatever happens."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import zip_longest
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hcl.alerts.calm import Plan
from hcl.config import (
    ChannelConfig,
)
from tests.alerts.outbox import Outbox
from tests.alerts.planned import (
    FOLD,
    MAIL,
    MINUTE,
    NIGHT,
    NOON,
    channel,
    planned,
)
from tests.build import HOUR, NOW

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("ping"), st.integers(1, 2)),
        st.tuples(st.just("pause"), st.integers(1, 2)),
        st.tuples(st.just("wait"), st.sampled_from([1, 2, 4, 7, 20, 300])),
        st.tuples(st.just("send"), st.booleans()),
    ),
    min_size=4,
    max_size=40,
)
LENGTHS = st.sampled_from([timedelta(0), 5 * MINUTE, 30 * MINUTE])
WITHOUT_DELAY = st.builds(
    channel,
    kind=st.sampled_from(["email", "webhook"]),
    fold=st.sampled_from([timedelta(0), MINUTE]),
    remind_every=LENGTHS,
    quiet_hours=st.sampled_from([None, NIGHT, NOON]),
)


def run(config: ChannelConfig, events: Iterable[tuple[str, Any]]) -> Outbox:
    """Let all happen to a channel of three checks, and deliver what is left."""
    outbox = Outbox(config, NOW)
    for what, value in events:
        match what:
            case "ping":
                outbox.flip(value)
            case "pause":
                outbox.pause(value)
            case "wait":
                outbox.now += value * MINUTE
            case "send":
                outbox.send(works=value)
    # All pauses, delays and quiet hours end in this time.
    for _ in range(6):
        outbox.now += 5 * HOUR
        outbox.send(works=True)
    return outbox


@settings(max_examples=200, deadline=None)
@example(config=FOLD, events=[("ping", 1), ("send", False), ("ping", 1)])
@given(config=WITHOUT_DELAY, events=EVENTS)
def test_each_flip_is_told_once_in_order(
    config: ChannelConfig, events: list[tuple[str, Any]]
) -> None:
    outbox = run(config, events)

    assert outbox.told == outbox.flips
    assert [r for r in outbox.rows.values() if not r.notification.reminder] == []


@settings(max_examples=300, deadline=None)
@example(
    config=channel(delay=5 * MINUTE),
    events=[("ping", 1), ("pause", 1), ("ping", 1), ("wait", 7), ("ping", 1)],
)
@given(
    config=st.builds(
        channel,
        kind=st.sampled_from(["email", "webhook"]),
        fold=st.sampled_from([timedelta(0), MINUTE]),
        delay=st.sampled_from([5 * MINUTE, 30 * MINUTE]),
        remind_every=LENGTHS,
        quiet_hours=st.sampled_from([None, NIGHT, NOON]),
    ),
    events=EVENTS,
)
def test_outages_are_told_whole_and_only_if_they_lasted(
    config: ChannelConfig, events: list[tuple[str, Any]]
) -> None:
    outbox = run(config, events)

    delay = config.calm.delay or timedelta(0)
    for check_id, of_check in outbox.flips.items():
        told, pauses = outbox.told[check_id], outbox.pauses[check_id]
        assert told == [flip for flip in of_check if flip in told]
        ends = [flip.created for flip in of_check] + pauses
        for begin, after in zip_longest(of_check, of_check[1:]):
            if begin.new_status == "up":
                continue
            end = min((end for end in ends if end > begin.created), default=None)
            if end is not None and end < begin.created + delay:
                assert begin not in told
            elif end not in pauses:
                assert begin in told
            if after is not None and after.new_status == "up":
                assert (begin in told) == (after in told)
    assert [r for r in outbox.rows.values() if not r.notification.reminder] == []


@settings(max_examples=200, deadline=None)
@example(
    config=channel(remind_every=5 * MINUTE),
    events=[("ping", 1), ("send", True), ("ping", 1), ("send", True)],
)
@given(config=WITHOUT_DELAY, events=EVENTS)
def test_reminders_come_only_while_a_check_is_down(
    config: ChannelConfig, events: list[tuple[str, Any]]
) -> None:
    outbox = run(config, events)

    assert outbox.false_reminders == 0
    for check_id, numbers in outbox.reminders.items():
        assert numbers == list(range(1, len(numbers) + 1)), check_id
    every = config.calm.remind_every
    down = [c for c, status in outbox.status.items() if status == "down"]
    waiting = {r.notification.check_id for r in outbox.rows.values()}
    assert waiting == (set(down) if every else set())


def test_nothing_waits_where_nothing_is_planned() -> None:
    assert planned(MAIL) == Plan()
