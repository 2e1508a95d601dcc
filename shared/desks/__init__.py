"""Desks and their people, as desk files describe them (contract: Desk file)."""

from shared.desks.applying import NOTHING, apply, apply_file
from shared.desks.calendars import load_calendar
from shared.desks.problems import DeskFileError, Problem
from shared.desks.reading import parse_desk_file, read_desk_file
from shared.desks.schema import DeskFile
from shared.desks.scopes import SCOPES

__all__ = [
    "NOTHING",
    "SCOPES",
    "DeskFile",
    "DeskFileError",
    "Problem",
    "apply",
    "apply_file",
    "load_calendar",
    "parse_desk_file",
    "read_desk_file",
]
