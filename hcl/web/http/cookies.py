"""hcl's own cookies, read by hand.

Python's parser, which Starlette uses, is quadratic in some cookies before 3.11.10 and
3.12.6: one request would hold up all.
"""

from starlette.requests import Request

# The most characters that a value of ours has; a notice takes 1600 at worst.
LONGEST = 2000


def read(request: Request, name: str) -> str:
    """Return a cookie of ours, "" if there is none.

    Of two the first counts, whose path is the longer one (RFC 6265, section 5.4).
    """
    wanted = name.encode()
    for header, value in request.scope["headers"]:
        if header != b"cookie":
            continue
        for pair in value.split(b";"):
            key, _, text = pair.partition(b"=")
            if key.strip(b" \t") == wanted:
                found = text.strip(b" \t")
                return found.decode("latin-1") if len(found) <= LONGEST else ""
    return ""
