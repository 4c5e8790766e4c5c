"""What stands where there is no page."""

from starlette.responses import Response

from hcl.web.pages.visit.errors import PageError
from hcl.web.pages.visit.visit import Visit


async def page(_visit: Visit) -> Response:
    """Answer a URL that leads nowhere."""
    raise PageError(404, "No such page", "The address may have been cut or mistyped.")
