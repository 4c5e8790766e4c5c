"""Moments in messages: by the clock of people, and by the check's own beside it."""

from datetime import datetime

from hcl.model import Alert
from hcl.words.moments import moment


def told(when: datetime, alert: Alert) -> str:
    """Write a moment in the zone of messages, and in that of the check's schedule."""
    check = alert.check
    # A period counts in no zone: UTC stands there if nobody chose one.
    is_unset = check.kind == "simple" and check.tz == "UTC"
    return moment(when, "" if is_unset else check.tz, alert.home)
