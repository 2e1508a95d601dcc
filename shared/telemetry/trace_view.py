"""A trace as a tree with times, for people at a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.telemetry.span_store import SpanStore, StoredSpan

_COLOURS = {"api": "cyan", "worker": "green", "search": "magenta", "notifier": "yellow"}
_BAR_WIDTH = 30
_SHOWN_ATTRIBUTES = ("db.query.text", "db.statement")
_DETAIL_WIDTH = 60
_NUMBERS_WIDTH = 8


@dataclass(slots=True)
class Node:
    """A span in its place: what it called, and why it is here if that isn't because its parent called it."""

    span: StoredSpan
    note: str = ""
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


def load(store: SpanStore, trace_id: str) -> Node | None:
    """Read a trace and put its spans together.

    A span whose parent was not recorded hangs under the root. A span of another trace that names spans of this one as
    its links (a batch that served several commands) hangs, with all it called, under the first span it names.

    Args:
        store: where the spans are.
        trace_id: 32 hexadecimal digits.

    Returns:
        The root; None if the store has no span of that trace.
    """
    spans = store.trace(trace_id)
    if not spans:
        return None
    root = _tree(spans)
    nodes = {node.span.span_id: node for node in root.walk()}
    shown: set[str] = set()
    for linked in store.linked_to(trace_id):
        if linked.span_id in shown:
            continue
        node = _node(linked, _children(store.trace(linked.trace_id)))
        shown.update(descendant.span.span_id for descendant in node.walk())
        place = next((nodes[span] for trace, span in linked.links if trace == trace_id and span in nodes), root)
        place.children.append(node)
    for node in root.walk():
        node.children.sort(key=lambda child: child.span.start_ns)
    return root


def _shared_note(span: StoredSpan) -> str:
    commands = len({trace_id for trace_id, _ in span.links})
    return f"shared by {commands} commands" if commands > 1 else ""


def _tree(spans: Sequence[StoredSpan]) -> Node:
    known = {span.span_id for span in spans}
    called = _children(spans)
    heads = [span for span in spans if span.parent_id not in known]
    first = next((span for span in heads if span.parent_id is None), heads[0])
    root = _node(first, called)
    root.children.extend(_node(span, called, "parent not recorded") for span in heads if span is not first)
    return root


def _children(spans: Sequence[StoredSpan]) -> dict[str, list[StoredSpan]]:
    called: dict[str, list[StoredSpan]] = defaultdict(list)
    for span in spans:
        if span.parent_id:
            called[span.parent_id].append(span)
    return called


def _node(span: StoredSpan, called: dict[str, list[StoredSpan]], note: str = "") -> Node:
    return Node(span, note or _shared_note(span), [_node(child, called) for child in called.get(span.span_id, ())])


def render(root: Node, *, bars: bool = True) -> RenderableType:
    """Lay a trace out: when each span began after the first one, how long it took, whose it is, what it did.

    Args:
        root: the trace.
        bars: draw each span on a time line, so that waiting shows as empty space; needs a wide terminal.
    """
    nodes = list(root.walk())
    begin = min(node.span.start_ns for node in nodes)
    total = max(node.span.end_ns for node in nodes) - begin
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("start ms", justify="right", no_wrap=True, min_width=_NUMBERS_WIDTH)
    table.add_column("took ms", justify="right", no_wrap=True, min_width=_NUMBERS_WIDTH)
    table.add_column("service", no_wrap=True, min_width=_NUMBERS_WIDTH)
    table.add_column("span", overflow="ellipsis", no_wrap=True)
    if bars:
        table.add_column("time line", no_wrap=True)
    for guide, node in _lines(root):
        style = _COLOURS.get(_service(node.span), "blue")
        row: list[RenderableType] = [
            _milliseconds(node.span.start_ns - begin),
            _milliseconds(node.span.end_ns - node.span.start_ns),
            Text(_service(node.span), style),
            _label(guide, node),
        ]
        if bars:
            row.append(Text(_bar(node.span, begin, total), style))
        table.add_row(*row)
    return Group(table, Text(_summary(root, nodes, total), "bold"))


def _lines(node: Node, guide: str = "", indent: str = "") -> Iterator[tuple[str, Node]]:
    yield guide, node
    for child in node.children:
        last = child is node.children[-1]
        yield from _lines(child, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))


def _label(guide: str, node: Node) -> Text:
    label = Text.assemble((guide, "dim"), (node.span.name, "bold red" if node.span.failed else "bold"))
    if node.span.failed:
        label.append(f"  ✗ {node.span.status}", "red")
    if node.note:
        label.append(f"  [{node.note}]", "italic")
    if detail := next((node.span.attributes[key] for key in _SHOWN_ATTRIBUTES if key in node.span.attributes), None):
        text = " ".join(str(detail).split())
        label.append(f"  {text[:_DETAIL_WIDTH]}{'…' if len(text) > _DETAIL_WIDTH else ''}", "dim")
    return label


def _bar(span: StoredSpan, begin: int, total: int) -> str:
    scale = _BAR_WIDTH / max(total, 1)
    start = min(int((span.start_ns - begin) * scale), _BAR_WIDTH - 1)
    length = max(1, round((span.end_ns - span.start_ns) * scale))
    return " " * start + "━" * min(length, _BAR_WIDTH - start)


def _summary(root: Node, nodes: Sequence[Node], total: int) -> str:
    failed = sum(node.span.failed for node in nodes)
    parts = [
        f"{len(nodes)} span{'s' if len(nodes) != 1 else ''}",
        f"{root.span.name} took {_milliseconds(root.span.end_ns - root.span.start_ns)} ms",
        f"everything {_milliseconds(total)} ms",
    ]
    return " · ".join([*parts, f"{failed} failed"] if failed else parts)


def _service(span: StoredSpan) -> str:
    return span.service.removeprefix("casebound-")


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:,.1f}"
