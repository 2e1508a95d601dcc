"""The stories of the demo desks' cases, as their files tell them: who did what, and how long after the last step."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import exists, select

from services.local.durations import parse_duration
from shared.db.engine import Database
from shared.db.models import Case, Desk, DeskCounter
from shared.domain.profiles import PROFILES
from shared.settings import Settings

STORIES = Path(__file__).with_name("demo") / "cases"
REPLIES = Path(__file__).with_name("demo") / "replies.yaml"

_WORDS: dict[str, dict[str, Any]] = {
    "say": {},
    "note": {"internal": True},
    "ask": {"await_reply": True},
    "solve": {"solve": True},
}
"""Comments for short: the value is their text."""


_AROUND = {"after", "by", "files"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """Something that somebody does to a case: in the file one key, which names the route, and its body.

    Args:
        after: time since the step before.
        by: mail address of a person of the desk.
        action: last part of the route; ``edit`` is a PATCH of the case.
        body: of the request.
        files: attached with it: text by file name.
    """

    after: timedelta
    by: str
    action: str
    body: dict[str, Any]
    files: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        (action, body), *more = ((key, value) for key, value in values.items() if key not in _AROUND)
        if more:
            raise ValueError(f"a step does one thing, not {action} and {more[0][0]}")
        if action in _WORDS:
            action, body = "comments", {"body": body, **_WORDS[action]}
        around = {"by": values.get("by"), "files": values.get("files", {})}
        return {"after": parse_duration(values["after"]), "action": action, "body": body, **around}


class Story(_Part):
    """A case from its opening until today.

    Args:
        ago: when it was opened.
        by: who opened it.
        case: the form.
        then: what happened, in order; what is left of ``ago`` passes in silence.
    """

    ago: timedelta
    by: str
    case: dict[str, Any]
    then: tuple[Step, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        return {**values, "ago": parse_duration(values["ago"])}

    @model_validator(mode="after")
    def _ends_in_the_past(self) -> Story:
        if sum((step.after for step in self.then), timedelta()) >= self.ago:
            raise ValueError(f"the steps take longer than the {self.ago} since the case was opened")
        return self


class Reply(_Part):
    """A canned reply for all of a desk's staff.

    Args:
        by: the lead who keeps it.
        name: of the reply.
        body: its text.
    """

    by: str
    name: str
    body: str


def replies_of(desk: str) -> list[Reply]:
    """What the staff of a demo desk often sends; nothing for other desks."""
    told = yaml.safe_load(REPLIES.read_text(encoding="utf-8")).get(desk, {"replies": ()})
    return [Reply(by=told["by"], **reply) for reply in told["replies"]]


def stories_of(desk: str) -> list[Story]:
    """The cases of a demo desk, the one that was opened first first.

    Raises:
        ValueError: the file tells something that can't be played.
    """
    told = yaml.safe_load((STORIES / f"{desk}.yaml").read_text(encoding="utf-8"))
    return sorted((Story.model_validate(story) for story in told), key=lambda story: -story.ago)


async def untold_stories(settings: Settings) -> dict[str, list[Story]]:
    """The stories of those demo desks that lack cases, or have one that was left behind in the past."""
    database = Database(settings.database_url, pool_size=1)
    left_behind = exists().where(Case.desk_id == Desk.id, Case.clock_offset < timedelta())
    states = select(Desk.slug, DeskCounter.last_number, left_behind).join(DeskCounter).where(Desk.slug.in_(PROFILES))
    try:
        async with database.reading() as connection:
            found = (await connection.execute(states)).all()
    finally:
        await database.close()
    stories = {slug: stories_of(slug) for slug, *_ in found}
    return {slug: stories[slug] for slug, last, behind in found if behind or last < len(stories[slug])}
