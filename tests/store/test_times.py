from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hcl.store.times import length, moment, seconds, stamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=180 * 365)).map(EPOCH.__add__)


@given(MOMENTS)
def test_moments_keep_their_microseconds(value: datetime) -> None:
    assert moment(stamp(value)) == value


@given(MOMENTS, MOMENTS)
def test_moments_keep_their_order(one: datetime, other: datetime) -> None:
    kept = stamp(one), stamp(other)

    assert None not in kept
    assert (kept[0] < kept[1]) == (one < other)  # type: ignore[operator]  # not None


@given(st.timedeltas(timedelta(0), timedelta(days=3650)))
def test_lengths_keep_their_microseconds(value: timedelta) -> None:
    assert length(seconds(value)) == value


def test_none_stays_none() -> None:
    assert moment(None) is None
    assert stamp(None) is None
    assert length(None) is None
    assert seconds(None) is None
