"""The command ``casebound``. What a command does is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from shared.settings import Settings

app = typer.Typer(
    help="Support cases as durable workflows: the stack, its services, and the commands around them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
desk_app = typer.Typer(help="Desks and their people, from desk files.", no_args_is_help=True)
app.add_typer(desk_app, name="desk")

DataDir = Annotated[
    Path,
    typer.Option("--data-dir", envvar="CASEBOUND_DATA_DIR", help="Where the stack keeps its data.", show_default=True),
]
CaseName = Annotated[str, typer.Argument(metavar="DESK/NUMBER", help="The case, as in connect/12 or connect/CON-12.")]
DEFAULT_DIR = Path(".casebound")
REFUSED = 1


@app.command()
def up(
    data_dir: DataDir = DEFAULT_DIR,
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="CASEBOUND_API_PORT", help="Of the API; 0 for any free one.")
    ] = 8000,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Create the demo desks.")] = True,
) -> None:
    """Run the embedded servers and all services, in the foreground."""
    from services.local.up import up as run

    _leave(run(data_dir, port=port, demo=demo))


@app.command()
def api(data_dir: DataDir = DEFAULT_DIR) -> None:
    """Run the API service alone."""
    from services.api.main import run

    _serve(run, data_dir)


@app.command()
def worker(data_dir: DataDir = DEFAULT_DIR) -> None:
    """Run the workflow service alone."""
    from services.workflows.worker import run

    _serve(run, data_dir)


@app.command()
def search(data_dir: DataDir = DEFAULT_DIR) -> None:
    """Run the search service alone."""
    from services.search.main import run

    _serve(run, data_dir)


@app.command()
def notifier(data_dir: DataDir = DEFAULT_DIR) -> None:
    """Run the notifier alone."""
    from services.notifier.main import run

    _serve(run, data_dir)


@app.command()
def migrate(data_dir: DataDir = DEFAULT_DIR) -> None:
    """Bring the database schema to the newest version."""
    from shared.db.migrate import upgrade

    with _friendly(data_dir):
        upgrade(_settings(data_dir))
        typer.echo("The database schema is the newest.")


@desk_app.command("apply")
def desk_apply(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", exists=True, dir_okay=False, readable=True)],
    data_dir: DataDir = DEFAULT_DIR,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change and change nothing.")] = False,
) -> None:
    """Create or update a desk and its people from a desk file.

    Prints a line for each change: + new, ~ changed, - removed; = is what
    you should know besides. The same file again changes nothing. A file
    with a mistake changes nothing either: each is named with its line.

    Exit code: 0 the desk is as the file says, 1 the file was refused,
    2 no stack or no database. The file: docs/desk-file.md.
    """
    from shared.desks import DeskFileError, apply_file

    with _friendly(data_dir):
        try:
            changes = apply_file(_settings(data_dir), file, dry_run)
        except DeskFileError as error:
            _fail(str(error), REFUSED)
        for line in changes:
            typer.echo(line)
        if dry_run:
            typer.echo("(dry run: nothing was changed)")


@app.command()
def token(
    email: Annotated[str, typer.Argument(help="Of a person, or the name of a service account.")],
    data_dir: DataDir = DEFAULT_DIR,
    desk: Annotated[str | None, typer.Option(help="Slug of the desk; needed where a name is known on several.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 90s, 30m, 1h, 7d.")] = "1h",
) -> None:
    """Print a bearer token for a person or a service account."""
    from services.local.durations import parse_duration
    from shared.tokens import token_for

    with _friendly(data_dir):
        typer.echo(token_for(_settings(data_dir), email, desk=desk, ttl=parse_duration(ttl)))


@app.command("fast-forward")
def fast_forward(
    case: CaseName,
    duration: Annotated[str, typer.Argument(help="90s, 30m, 36h, 4d, or 3bd for business days of the desk.")],
    data_dir: DataDir = DEFAULT_DIR,
) -> None:
    """Move one case's own clock forward and wait until it has arrived (development only)."""
    from services.local.clock import fast_forward as move

    with _friendly(data_dir):
        desk, number = _case(case)
        typer.echo(move(_settings(data_dir), desk, number, duration))
        _leave(0)


@app.command()
def reindex(
    data_dir: DataDir = DEFAULT_DIR,
    desk: Annotated[str | None, typer.Option(help="Only this desk.")] = None,
) -> None:
    """Rebuild the search index while the old one answers."""
    from services.search.reindex_command import run

    with _friendly(data_dir):
        run(_settings(data_dir), desk)


@app.command()
def demo(
    cases: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many.")],
    seed: Annotated[int, typer.Option(help="The same makes the same cases.")] = 1,
    desk: Annotated[str, typer.Option(help="Slug of their desk, which is made if there is none.")] = "crowd",
    data_dir: DataDir = DEFAULT_DIR,
) -> None:
    """Generate cases on a desk of their own, beside those it has (development only)."""
    from services.local.crowd.command import run

    with _friendly(data_dir):
        typer.echo(run(_settings(data_dir), cases, seed, desk))
        _leave(0)


@app.command()
def trace(case: CaseName, data_dir: DataDir = DEFAULT_DIR) -> None:
    """Show the spans of the case's latest command as a tree with times."""
    from shared.telemetry.trace_command import run

    with _friendly(data_dir):
        desk, number = _case(case)
        run(_settings(data_dir), desk, number)


@app.command()
def doctor(data_dir: DataDir = DEFAULT_DIR) -> None:
    """Check versions, settings and connections; say what is wrong and what to do."""
    from services.local.doctor import doctor as run

    _leave(run(data_dir))


def main() -> None:
    """Entry point of ``casebound``."""
    app()


def _serve(run: Callable[[Settings], None], data_dir: Path) -> NoReturn:
    run(_settings(data_dir))
    _leave(0)


def _settings(data_dir: Path) -> Settings:
    from pydantic import ValidationError

    from shared.settings import load_settings

    try:
        return load_settings(data_dir)
    except ValidationError as error:
        wrong = (f"CASEBOUND_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        _fail("settings are wrong: " + "; ".join(wrong))


def _case(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"([^/]+)/(?:\w+-)?(\d{1,9})", text)
    if match is None:
        _fail(f"{text!r} does not name a case: write DESK/NUMBER, as in connect/12 or connect/CON-12")
    return match[1], int(match[2])


@contextmanager
def _friendly(data_dir: Path) -> Iterator[None]:
    """Turn what goes wrong around a stack into a sentence and exit code 2."""
    from services.local.errors import StackError
    from shared.settings import STACK_ENV, STACK_JSON

    if not (data_dir / STACK_ENV).exists() and "CASEBOUND_DATABASE_URL" not in os.environ:
        _fail(
            f"there is no stack in {data_dir}: start one with `casebound up`, or name its directory with --data-dir "
            "or CASEBOUND_DATA_DIR"
        )
    try:
        yield
    except (StackError, LookupError, PermissionError, ValueError) as error:
        if type(error) in {KeyError, IndexError, UnicodeDecodeError}:
            raise
        _fail(str(error))
    except Exception as error:
        if not _is_connection_trouble(error):
            raise
        running = (data_dir / STACK_JSON).exists()
        advice = "`casebound doctor` says what is wrong" if running else f"no stack is running in {data_dir}"
        _fail(f"can't reach the stack ({error}): {advice}")


def _is_connection_trouble(error: BaseException | None) -> bool:
    """Whether a server could not be reached, however its library wraps that."""
    if error is None:
        return False
    names = {"NoServersError", "NoRespondersError", "CannotConnectNowError"}
    if isinstance(error, ConnectionError | TimeoutError) or type(error).__name__ in names:
        return True
    if isinstance(error, RuntimeError) and "Failed client connect" in str(error):
        return True
    return _is_connection_trouble(error.__cause__)


def _fail(message: str, code: int = 2) -> NoReturn:
    typer.secho(f"casebound: {message}", err=True, fg="red")
    _leave(code)


def _leave(code: int) -> NoReturn:
    from shared.processes import leave

    leave(code)


if __name__ == "__main__":
    main()
