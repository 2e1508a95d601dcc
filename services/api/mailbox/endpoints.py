"""Development only: mail that would have been sent, for programs and for people."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import select

from services.api.answers import Json, rfc3339
from services.api.context import Context, Ctx
from services.api.problems import documented, not_found
from shared.db.models import MailboxMessage

router = APIRouter(prefix="/dev/mailbox", tags=["development"])

SHOWN = 500
_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
_FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'"
)


@router.get("", responses={200: {"description": "The newest first; JSON with `Accept: application/json`."}})
async def get_mailbox(request: Request, context: Ctx) -> Response:
    """List the mail that would have been sent, as JSON or as a page."""
    async with context.database.read() as session:
        found = await session.scalars(select(MailboxMessage).order_by(MailboxMessage.id.desc()).limit(SHOWN))
        mails = [_mail(row) for row in found]
    if not wants_page(request):
        return Json({"items": mails})
    return _page("list.html", mails=mails)


@router.get("/{mail_id}", responses=documented(404))
async def get_mail(mail_id: int, request: Request, context: Ctx) -> Response:
    """Read one mail, as JSON or as a page."""
    mail = _mail(await _find(context, mail_id))
    return _page("mail.html", mail=mail) if wants_page(request) else Json(mail)


@router.get("/{mail_id}/html", response_class=HTMLResponse, responses=documented(404))
async def get_mail_html(mail_id: int, context: Ctx) -> Response:
    """The HTML part alone; it can run nothing and load nothing."""
    html = (await _find(context, mail_id)).html
    headers = {"Content-Security-Policy": _FRAME_POLICY, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(f'<base target="_blank">{html}', headers=headers)


def wants_page(request: Request) -> bool:
    """Whether a browser asks; whoever accepts anything gets JSON."""
    return "text/html" in request.headers.get("Accept", "")


async def _find(context: Context, mail_id: int) -> MailboxMessage:
    async with context.database.read() as session:
        row = await session.get(MailboxMessage, mail_id) if mail_id < 2**63 else None
    if row is None:
        raise not_found(f"mail {mail_id}")
    return row


def _mail(row: MailboxMessage) -> dict[str, Any]:
    return {
        "id": row.id,
        "to": row.to,
        "cc": row.cc,
        "from": row.sender,
        "subject": row.subject,
        "message_id": row.message_id,
        "in_reply_to": row.in_reply_to,
        "text": row.text,
        "html": row.html,
        "at": rfc3339(row.at),
    }


def _page(template: str, **values: object) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; frame-src 'self'; base-uri 'none'; form-action 'none'"
    html = _pages.get_template(template).render(nonce=nonce, **values)
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})
