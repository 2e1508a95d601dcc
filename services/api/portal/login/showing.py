"""The log-in page with the ways there are: a password, the OpenID provider, a click on somebody of the demo."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi.responses import Response

from services.api.portal.forms import Form
from services.api.portal.login.demo import demo_people
from services.api.portal.pages import Page
from shared.oidc import Provider


def provider_here(page: Page) -> Provider | None:
    """The OpenID provider of the settings, if there is one."""
    provider: Provider | None = page.request.app.state.oidc
    return provider


async def show_log_in(
    page: Page,
    form: Form,
    errors: Mapping[str, str],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    elsewhere: str | None = None,
) -> Response:
    """Render the log-in page.

    Args:
        page: that is asked for.
        form: what was typed, and ``next``: where to go after the log-in.
        errors: what went wrong, by field.
        status: of the answer.
        headers: of the answer.
        elsewhere: the address where one logs out of the provider too, after logging out here.
    """
    settings = page.context.settings
    provider = provider_here(page)
    wanted = form.text("next")
    return page.render(
        "login/login.html",
        status=status,
        headers=headers,
        form=form,
        errors=errors,
        people=await demo_people(page.context) if settings.development else [],
        with_password=settings.development or provider is None,
        provider=settings.oidc_name if provider else "",
        to_provider=f"/login/oidc?{urlencode({'next': wanted})}" if wanted else "/login/oidc",
        elsewhere=elsewhere,
    )
