"""``/v1/session``: people sign in to an app, which asks here with its service key, and sends the session's token from then
on as ``x-kakehashi-session`` (or the person sends it themselves as a bearer token).

Passwords and tokens are in bodies and headers only, never in addresses or records. Every sign-in is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.api.client import Client
from gateway.api.scanning import described
from gateway.api.services import Services, TheServices
from gateway.errors import BadRequest, Forbidden, NotFound, Unauthorized
from gateway.identity.administration import Act
from gateway.identity.model import VirtualKey
from gateway.identity.sessions import Session
from gateway.identity.users import UserSpec

router = APIRouter(prefix="/v1/session", tags=["session"])
SESSION_HEADER = "x-kakehashi-session"
_MAX_BODY_BYTES = 64 * 1024


class SignIn(BaseModel):
    """A local account's name and password, or the token an identity provider gave the app."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(None, max_length=200)
    password: str | None = Field(None, max_length=1000)
    id_token: str | None = Field(None, max_length=16_384)


class NewPassword(BaseModel):
    model_config = ConfigDict(extra="forbid")
    old: str = Field(max_length=1000)
    new: str = Field(max_length=1000)


class FirstAccount(BaseModel):
    """``code``: what stands in the gateway's secrets/first-account.code."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(max_length=200)
    name: str = Field(max_length=200)
    password: str = Field(max_length=1000)


async def _service(request: Request, services: TheServices) -> VirtualKey:
    caller = await services.keys.verify(request.headers.get("authorization"))
    if not caller.service:
        raise Forbidden("Signing people in needs an app's service key.", code="service_key_required")
    return caller


Service = Annotated[VirtualKey, Depends(_service)]
Asked = TypeVar("Asked", bound=BaseModel)


async def _asked(request: Request, shape: type[Asked]) -> Asked:
    """The body, read under a limit of its own. Raises BadRequest, TooLarge; neither repeats what was sent."""
    client = Client(request.scope, request.receive, request._send)
    try:
        return shape.model_validate(await client.json(_MAX_BODY_BYTES))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequest(f"{where}: {first['msg']}", param=where) from None


Recorder = Callable[[str, str, Callable[[], Any]], Awaitable[Any]]


async def _recorder(request: Request, service: Service, services: TheServices) -> Recorder:
    """Runs an act of a sign-in and records it: ``await record(action, whose, do)``."""
    client = Client(request.scope, request.receive, request._send)

    def run(action: str, whose: str, do: Callable[[], Any]) -> Awaitable[Any]:
        act = Act(
            client.request_id,
            action,
            whose,
            {},
            key_id=service.id,
            team=service.team,
            user=whose,
            user_source="claimed" if whose else "",
            app=client.label("x-kakehashi-app"),
            surface="session",
        )
        return services.administration.run(act, do)

    return run


Record = Annotated[Recorder, Depends(_recorder)]


@router.get("")
async def session(request: Request, service: Service, services: TheServices) -> dict[str, Any]:
    """Which ways to sign in there are, and the person whose session the header holds, if it still lasts."""
    people = services.people
    accounts = await asyncio.to_thread(people.users.any)
    if not accounts:
        await asyncio.to_thread(people.offer_first_code)
    person = await _signed_in(request, services)
    return {
        "object": "session",
        "accounts": accounts,
        "oidc": people.oidc is not None,
        "user": _person(person) if person else None,
        "expires_at": _moment(person.expires_at) if person else None,
    }


@router.post("", status_code=201, openapi_extra=described(SignIn))
async def sign_in(request: Request, service: Service, services: TheServices, record: Record) -> dict[str, Any]:
    """Sign in. The answer is the only place where the session's token is ever shown."""
    asked, people = await _asked(request, SignIn), services.people
    if asked.id_token is not None:
        if people.oidc is None:
            raise BadRequest("No identity provider is configured (gateway.oidc).", code="oidc_off")
        person = await people.oidc.caller(asked.id_token)
        made = await record("session.create", person.user.name, lambda: people.sessions.open_verified(person))
        return _shown(made, "oidc")
    name, password = asked.name, asked.password
    if name is None or password is None:
        raise BadRequest("Give 'name' and 'password', or 'id_token'.")
    whose = await asyncio.to_thread(_known_name, services, name)
    made = await record("session.create", whose, lambda: people.sessions.sign_in(name, password))
    return _shown(made, "session")


@router.delete("", status_code=204)
async def sign_out(request: Request, service: Service, services: TheServices, record: Record) -> Response:
    """End the session in the header; everywhere, within a second."""
    person = await _signed_in(request, services)
    if person:
        token = request.headers[SESSION_HEADER]
        await record("session.end", person.user.name, lambda: services.people.sessions.end(token))
    return Response(status_code=204)


@router.post("/password", status_code=204, openapi_extra=described(NewPassword))
async def change_password(request: Request, service: Service, services: TheServices, record: Record) -> Response:
    """A new password for the person in the header, whose other sessions then end."""
    asked = await _asked(request, NewPassword)
    token = request.headers.get(SESSION_HEADER, "")
    person = await services.keys.signed_in(token)
    if person.user.source != "session":
        raise BadRequest("The password is kept by your identity provider.", code="no_local_account")
    name, sessions = person.user.name, services.people.sessions
    await record("user.password", name, lambda: sessions.change_password(name, asked.old, asked.new, token))
    return Response(status_code=204)


@router.post("/first", status_code=201, openapi_extra=described(FirstAccount))
async def first_account(request: Request, service: Service, services: TheServices, record: Record) -> dict[str, Any]:
    """The first account, an admin, for somebody who can read the code on the gateway's machine."""
    asked = await _asked(request, FirstAccount)
    people = services.people

    def create() -> Session:
        people.check_first_code(asked.code)
        user = people.users.create_first(UserSpec(asked.name, ("admin",), password=asked.password))
        people.forget_first_code()
        return people.sessions.open(user)

    return _shown(await record("user.create_first", asked.name[:100], create), "session")


async def _signed_in(request: Request, services: Services) -> VirtualKey | None:
    try:
        return await services.keys.signed_in(request.headers.get(SESSION_HEADER, ""))
    except Unauthorized:
        return None


def _known_name(services: Services, name: str) -> str:
    """The account's name for the record; "" for an unknown one, which may be a password in the wrong field."""
    try:
        return services.people.users.user(name).name
    except NotFound:
        return ""


def _shown(made: Session, source: str) -> dict[str, Any]:
    user = {"id": made.user_id, "name": made.name, "roles": list(made.roles), "team": made.team or None}
    return {
        "object": "session",
        "token": made.secret.key,
        "expires_at": _moment(made.expires_at),
        "user": {**user, "source": source},
    }


def _person(person: VirtualKey) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.user.name,
        "roles": sorted(person.roles),
        "team": person.team or None,
        "source": person.user.source,
    }


def _moment(moment: Any) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
