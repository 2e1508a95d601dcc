from pathlib import Path

HISTORIES = Path(__file__).parent / "histories"
RULES_VERSION = "v1"
