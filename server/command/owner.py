"""The commands of owners: projects and tokens of a running server."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from difflib import get_close_matches
from urllib.parse import quote

import click

from ..core.model.grant import Scope
from .client import Client
from .output import or_json, tell
from .params import PROJECT_ID, as_owner, on_server
from .terminal import plain


@click.group()
def project() -> None:
    """Create, list and reset projects of a running server.

    FIRSTLIGHT_ADMIN_TOKEN is sent to it if set.
    """


@project.command("create")
@click.argument("name")
@click.option("--platform", help="The application's platform: an id from the page's list, such as python.")
@or_json
@on_server
def create_project(name: str, platform: str | None, server: str | None) -> None:
    """Make a project, and print its DSN and its page."""
    owner = as_owner(server)
    if platform:
        _check_platform(owner, platform)
    made = owner.ask("POST", "/projects", name=name, **({"platform": platform} if platform else {}))
    head = f"{click.style('Project', dim=True)} {made['id']}  {plain(made['name'])}"
    tell("project", made, head, made["dsn"], made["url"])


def _check_platform(owner: Client, platform: str) -> None:
    # Here and not in the server: a host application may call platforms by names of its own (`PUT /projects/{id}`).
    known = [row["id"] for row in owner.ask("GET", "/static/platforms/index.json")["platforms"]]
    if platform in known:
        return
    near = get_close_matches(platform, known, 1)
    guess = f" Did you mean {near[0]}?" if near else ""
    said = f"there is no platform {platform!r}.{guess} There are: {', '.join(known)}."
    raise click.BadParameter(said, param_hint="--platform")


@project.command("list")
@or_json
@on_server
def list_projects(server: str | None) -> None:
    """List all projects: id, name, platform, DSN."""
    owner, following = as_owner(server), "0"
    while following:
        page = owner.ask("GET", f"/projects?after={following}&limit=500")
        for shown in page["projects"]:
            fields = (shown["id"], shown["name"], shown["platform"] or "-", shown["dsn"] or "(no active key)")
            tell("project", shown, "  ".join(plain(field) for field in fields))
        following = page["next"]


@project.command("reset")
@click.argument("project_id", metavar="ID", type=PROJECT_ID)
@or_json
@on_server
def reset_project(project_id: str, server: str | None) -> None:
    """Let a project start over and wait for its SDK again."""
    snapshot = as_owner(server).ask("POST", f"/projects/{project_id}/reset")
    tell("snapshot", snapshot, f"Project {snapshot['project']} is {snapshot['stage']} again.")


def _token_id(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The id of a token, also where the token itself is given: it should not travel, and end in a log."""
    # A JWT has three parts (RFC 7515, section 7.1), and an id that is made here has no dots. Not verified: the server
    # does that, and here it only saves sending the token.
    parts = (value or "").split(".")
    if len(parts) != 3:
        return value
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=="))
        return str(claims["jti"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise click.BadParameter("this token has no id (jti); it can only be revoked with all others.") from None


@click.command()
@click.argument("project_id", metavar="PROJECT", type=PROJECT_ID)
@click.option("--owner", "scope", flag_value=Scope.OWNER.value, help="May also reset the project and change its keys.")
@click.option("--agent", "scope", flag_value=Scope.AGENT.value, help="For a program that only reads.")
@click.option("--days", type=click.IntRange(1, 30), help="How long it works.")
@click.option("--hours", type=click.IntRange(1, 720), help="The same in hours; 12 unless given.")
@click.option("--revoke", metavar="TOKEN|ID", callback=_token_id, help="Revoke one instead, and all made with it.")
@click.option("--revoke-all", is_flag=True, help="Revoke all issued so far instead.")
@or_json
@on_server
def token(
    project_id: str,
    scope: str | None,
    days: int | None,
    hours: int | None,
    revoke: str | None,
    revoke_all: bool,
    server: str | None,
) -> None:
    """Print a viewer's token, and on the next line the link that carries it; or revoke tokens."""
    owner, path = as_owner(server), f"/projects/{project_id}/tokens"
    if revoke_all or revoke is not None:
        owner.ask("DELETE", path if revoke_all else f"{path}/{quote(revoke or '', safe='')}")
        tell("revoked", {"project": project_id}, "Revoked.")
        return
    seconds = 3600 * (24 * days if days else hours or 12)
    made = owner.ask("POST", path, expires_in=seconds, **({"scope": scope} if scope else {}))
    tell("token", made, made["token"], made["url"])
    if made["expires_in"] < seconds - 1:
        click.echo(f"It expires in {made['expires_in']} s, like the token that it was made with.", err=True)
