"""Become another program that ends when its supervisor does.

Run as a script in front of the program: ``python -I -S child.py PARENT SIGNAL NICENESS USER PROGRAM ARG…``. A script of
its own rather than a ``preexec_fn``, which may deadlock in a supervisor that has threads.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys

_PR_SET_PDEATHSIG = 1


def _become(user: str) -> None:
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def _end_with(parent: int, signal: int) -> None:
    """Ask Linux to send ``signal`` when ``parent`` dies; elsewhere the next start ends what was left."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before we had asked
        sys.exit(f"the supervisor {parent} has gone")


def main() -> None:
    """Drop to the user, bind our life to the parent's, and run the program in our place."""
    parent, signal, niceness, user, *program = sys.argv[1:]
    os.nice(int(niceness))
    if user:
        _become(user)  # first: changing user would clear the parent-death signal
    _end_with(int(parent), int(signal))
    os.umask(0o077)  # logs, streams and indexes hold what customers wrote
    os.execv(program[0], program)  # noqa: S606 - the supervisor gives the whole path


if __name__ == "__main__":
    main()
