"""Wrong keys: counted by network and in all, and forgotten."""

from hcl.web.pages.dashboard.wrong_keys import BY_ALL, BY_ONE, WINDOW, WrongKeys


def test_wrong_keys_are_counted_by_network_and_time() -> None:
    wrong_keys = WrongKeys()
    for i in range(BY_ONE):
        wrong_keys.note(f"2001:db8::{i:x}", 0.0)

    assert wrong_keys.seconds_left("2001:db8::ffff", 1.0) == WINDOW
    assert wrong_keys.seconds_left("2001:db8:0:1::1", 1.0) == 0
    assert wrong_keys.seconds_left("2001:db8::ffff", WINDOW + 1.0) == 0


def test_wrong_keys_of_all_together_are_slowed_and_shut_nobody_out() -> None:
    wrong_keys = WrongKeys()
    for i in range(BY_ALL):
        wrong_keys.note(f"10.{i // 256}.{i % 256}.1", 0.0)

    assert wrong_keys.seconds_left("192.0.2.7", 1.0) == 0
    assert wrong_keys.are_many(1.0)
    assert not wrong_keys.are_many(WINDOW + 1.0)
