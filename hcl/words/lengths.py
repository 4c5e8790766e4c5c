"""Lengths of time, as they are said to people."""

from datetime import timedelta

from hcl.words.lines import counted

_UNITS = (
    (86400, "day", "d"),
    (3600, "hour", "h"),
    (60, "minute", "min"),
    (1, "second", "s"),
)


def duration(length: timedelta, units: int = len(_UNITS)) -> str:
    """Write a length of time in words: `1 hour 30 minutes`.

    `units` is how many units, counted from the largest one needed, are written.
    """
    left = max(0, int(length.total_seconds()))
    parts: list[tuple[int, str]] = []
    for seconds, unit, _ in _UNITS:
        count, left = divmod(left, seconds)
        if count or parts:
            parts.append((count, unit))
    words = [counted(count, unit) for count, unit in parts[:units] if count]
    return " ".join(words) or "0 seconds"


def rough(length: timedelta) -> str:
    """Write a length of time in its two largest units; none is nothing at all."""
    if length < timedelta(seconds=1):
        return "less than a second"
    return duration(length, units=2)


def exact(length: timedelta) -> str:
    """Write how long a run took: `340 ms`, `1.4 seconds`, `2 minutes 3 seconds`."""
    seconds = length.total_seconds()
    if 1 <= seconds < 10:
        return f"{_tenths(seconds)} seconds"
    return _milliseconds(seconds) if 0.001 <= seconds < 1 else rough(length)


def took(length: timedelta) -> str:
    """Write how long a run took, briefly: `340 ms`, `1.4 s`, `24 min 3 s`."""
    seconds = length.total_seconds()
    if 1 <= seconds < 10:
        return f"{_tenths(seconds)} s"
    if seconds >= 1:
        return short(length)
    return _milliseconds(seconds) if seconds >= 0.001 else "under 1 ms"


# Neither is rounded up to what is written otherwise: 1000 ms, 10.0 s.
def _tenths(seconds: float) -> str:
    return f"{min(seconds, 9.9):.1f}"


def _milliseconds(seconds: float) -> str:
    return f"{min(seconds * 1000, 999):.0f} ms"


def in_seconds(length: timedelta) -> str:
    """Write how long a try took, as exactly as it matters: `3 ms`, `0.34 s`, `12 s`."""
    seconds = length.total_seconds()
    if seconds < 0.01:
        return f"{max(1, round(seconds * 1000))} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def every(length: timedelta) -> str:
    """Write how often: `every day`, `every 1 hour 30 minutes`."""
    words = duration(length)
    number, _, unit = words.partition(" ")
    return f"every {unit}" if number == "1" and " " not in unit else f"every {words}"


def short(length: timedelta) -> str:
    """Write a length in its two largest units, briefly: `5 h 41 min`."""
    return _abbreviated(int(length.total_seconds()))


def brief(length: timedelta) -> str:
    """Write a length in its largest unit: `12 min`; in two where one says little."""
    # 1 h 50 min is nearly twice 1 h; of 20 h nobody asks for minutes. app.js says the
    # same of the same lengths.
    return _abbreviated(int(length.total_seconds()), alone_from=3)


def _abbreviated(seconds: int, alone_from: int | None = None) -> str:
    """Write seconds in two units, or in one if there are `alone_from` of it or more."""
    for i, (size, _, unit) in enumerate(_UNITS):
        if seconds >= size:
            count = seconds // size
            text = f"{count} {unit}"
            if size > 1 and (alone_from is None or count < alone_from):
                smaller, _, its_unit = _UNITS[i + 1]
                rest = (seconds - count * size) // smaller
                text += f" {rest} {its_unit}" if rest else ""
            return text
    return "0 s"
