"""Make a copy of the tree ready for a package index: its links lead to the repository.

On an index README.md stands alone: what it links to and shows is in the repository,
whose address only whoever publishes knows.
"""

import re
import sys
from pathlib import Path

# A link or a picture that begins with no scheme, and is not within the page.
_RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)]+)\)")


def publish(tree: Path, url: str) -> None:
    """Write the addresses of the repository at `url` into a tree."""
    readme, project = tree / "README.md", tree / "pyproject.toml"
    readme.write_text(absolute(readme.read_text(), url))
    urls = {
        "Homepage": url,
        "Documentation": f"{url}/tree/HEAD/docs",
        "Changelog": f"{url}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{url}/issues",
    }
    lines = "".join(f'{name} = "{where}"\n' for name, where in urls.items())
    text = project.read_text()
    project.write_text(
        text.replace("[project.scripts]", f"[project.urls]\n{lines}\n[project.scripts]")
    )


def absolute(text: str, url: str) -> str:
    """Return a page whose links and pictures are those of the repository."""

    def link(found: re.Match[str]) -> str:
        kind = "raw" if found[1] else "blob"
        # A picture may be within a link's text: that is looked at once more.
        return f"{found[1]}[{found[2]}]({url}/{kind}/HEAD/{found[3]})"

    return _RELATIVE.sub(link, text)


if __name__ == "__main__":
    publish(Path(sys.argv[1]), sys.argv[2].rstrip("/"))
