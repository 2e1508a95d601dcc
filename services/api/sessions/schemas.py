"""Log-in as it goes over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, StringConstraints

from services.api.cases.schemas import Body


class LogIn(Body):
    """Address and password of a person."""

    email: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=320)] = Field(
        examples=["bob@acme.example"]
    )
    password: SecretStr = Field(max_length=1024)


class PersonOut(BaseModel):
    """Who has logged in."""

    email: str
    name: str


class SessionOut(BaseModel):
    """A browser's session."""

    person: PersonOut
    csrf_token: str = Field(
        description="Repeat it in the header `X-CSRF-Token` of every request that changes something."
    )
