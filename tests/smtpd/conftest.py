"""The `hcl serve` that the tests of a module send mail to."""

from collections.abc import Iterator

import pytest

from tests.sinks import make_certificate
from tests.smtpd.serving import TLS, MailServe


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServe]:
    folder = tmp_path_factory.mktemp("mail")
    make_certificate(folder)
    with MailServe(folder, **TLS) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log
        assert "xception" not in running.log
