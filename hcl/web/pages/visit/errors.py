"""What a page tells when it cannot do what was asked."""


class PageError(Exception):
    """A request is answered with a page of this status, title and text."""

    def __init__(
        self, status: int, title: str, text: str = "", *, allow: str = ""
    ) -> None:
        """Prepare; `allow` names the methods that there are, for a 405."""
        super().__init__(title)
        self.headers = {"Allow": allow} if allow else {}
        self.status = status
        self.title = title
        self.text = text


def no_such_check() -> PageError:
    """Say that there is no check here, or none that the viewer may see."""
    return PageError(404, "No such check", "It may have been deleted.")
