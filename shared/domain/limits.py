"""How long what people type may be. One place for the machine, the API and the documentation."""

from __future__ import annotations

SUBJECT_MAX_CHARACTERS = 200
TEXT_MAX_BYTES = 64 * 1024
FIELD_MAX_CHARACTERS = 200
CC_MAX_ADDRESSES = 50
"""In one command, and on one case."""
ATTACHMENTS_MAX_PER_COMMAND = 20
ADDRESS_MAX_CHARACTERS = 320
COMMAND_ID_MAX_CHARACTERS = 200
LARGEST_NUMBER = 2**31 - 1
LARGEST_ANSWER = 100
