"""Make hcl.pyz of a folder into which pip has installed hcl and what it needs.

Without compiled modules: the same file runs on any machine with Python 3.11 or newer.
"""

import hashlib
import sys
import zipfile
from pathlib import Path

# Zip has no older moment. The same folder makes the same file.
_MOMENT = (1980, 1, 1, 0, 0, 0)


def make(site: Path, target: Path) -> None:
    """Write the archive."""
    paths = sorted(path for path in site.rglob("*") if path.is_file())
    kept = [path for path in paths if _is_portable(path)]
    digest = hashlib.sha256()
    with target.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            main = Path(__file__).with_name("pyz_main.py").read_bytes()
            _add(archive, "__main__.py", main, digest)
            for path in kept:
                name = f"site/{path.relative_to(site)}"
                _add(archive, name, path.read_bytes(), digest)
            archive.comment = digest.hexdigest()[:16].encode()
    target.chmod(0o755)


def _is_portable(path: Path) -> bool:
    parts = path.parts
    return path.suffix not in (".so", ".pyc") and "bin" not in parts[-2:-1]


def _add(
    archive: zipfile.ZipFile, name: str, data: bytes, digest: "hashlib._Hash"
) -> None:
    digest.update(name.encode() + b"\0" + data)
    archive.writestr(zipfile.ZipInfo(name, _MOMENT), data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
