"""What holds for HTTP holds whatever speaks it."""

import pytest

from hcl.web.http.protocol import GuardedProtocol
from tests.leaping import LEAPING, Backend
from tests.web.http import wire


@pytest.fixture(scope="module")
def anyio_backend() -> Backend:
    return LEAPING


@pytest.fixture(params=wire.GUARDS, autouse=True)
def guard(request: pytest.FixtureRequest) -> type[GuardedProtocol]:
    """What speaks HTTP in this test."""
    wire.serving_by[0] = request.param
    return wire.serving_by[0]
