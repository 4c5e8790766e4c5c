"""hcl's own cookies, in whatever else a browser sends."""

import pytest
from starlette.requests import Request

from hcl.web.http import cookies
from hcl.web.http.cookies import LONGEST


def request_with(*values: bytes) -> Request:
    headers = [(b"host", b"x"), *((b"cookie", value) for value in values)]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([b"hcl_session=a.b-c_d"], "a.b-c_d"),
        ([b"x=1; hcl_session=a; y=2"], "a"),
        ([b"x=1;hcl_session=a;y=2"], "a"),
        ([b"x=1", b"hcl_session=a"], "a"),
        ([b"hcl_session=a==; b"], "a=="),
        ([b" \thcl_session = a "], "a"),
        ([b"hcl_session=first; hcl_session=second"], "first"),
        ([b"hcl_session"], ""),
        ([b"hcl_session="], ""),
        ([b"HCL_SESSION=a; xhcl_session=b; hcl_session2=c"], ""),
        ([b'x="; hcl_session=a"'], 'a"'),
        ([b"\xff=\xff; hcl_session=\xe9"], "é"),
        ([], ""),
    ],
)
def test_cookies_of_others_are_not_read(values: list[bytes], found: str) -> None:
    assert cookies.read(request_with(*values), "hcl_session") == found


def test_a_cookie_that_is_too_long_does_not_count() -> None:
    longest = b"hcl_session=" + b"y" * LONGEST

    assert len(cookies.read(request_with(longest), "hcl_session")) == LONGEST
    assert cookies.read(request_with(longest + b"y"), "hcl_session") == ""
