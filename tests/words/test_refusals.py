from hcl.words import refusals


def test_full_project_is_told_what_it_can_do() -> None:
    assert refusals.no_more_checks(10_000) == (
        "The project has reached its limit of 10,000 checks."
        " Delete one, or raise check_limit in hcl.toml."
    )
