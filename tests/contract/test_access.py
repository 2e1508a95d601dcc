"""Everything that can be asked for over HTTP has its row in the table of rights; `docs/access.md` shows the table."""

from __future__ import annotations

import runpy
from pathlib import Path

from services.api.app import create_app
from services.api.authorisation import ROUTES, TABLE, Access, Door
from shared.desks import SCOPES
from shared.domain.lifecycle import Action
from shared.settings import Settings

DESK = "/api/v1/desks/{desk}"
DOCS = Path(__file__).parents[2] / "docs"


def documented() -> set[str]:
    """Every route of `/openapi.json`, as the table writes it."""
    paths = create_app(Settings(development=True)).openapi()["paths"]
    return {f"{method.upper()} {path.removeprefix(DESK)}" for path, methods in paths.items() for method in methods}


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    assert documented() == set(ROUTES), "add the route to ROUTES in services/api/authorisation.py"


def test_nothing_on_a_desk_is_for_everybody() -> None:
    paths = create_app(Settings(development=True)).openapi()["paths"]
    on_desks = {
        f"{method.upper()} {path.removeprefix(DESK)}" for path in paths if DESK in path for method in paths[path]
    }
    assert not [route for route in on_desks if any(isinstance(row, Door) for row in ROUTES[route])]


def test_every_action_and_every_access_has_a_row_that_a_route_leads_to() -> None:
    asked = {row for rows in ROUTES.values() for row in rows if not isinstance(row, Door)}
    assert set(TABLE) == {*Access, *Action} - {Action.ELAPSE} == asked


def test_every_scope_is_needed_somewhere_and_every_needed_one_can_be_given() -> None:
    assert {rule.scope for rule in TABLE.values() if rule.scope} == set(SCOPES)


def test_the_page_is_current() -> None:
    page = runpy.run_path(str(DOCS / "generate_access.py"))["access_page"]()
    assert (DOCS / "access.md").read_text(encoding="utf-8") == page, "run: python docs/generate_access.py"
