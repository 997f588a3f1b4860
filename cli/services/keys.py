"""`heed keys`: make, list and revoke API keys."""

from __future__ import annotations

import click

from cli.options import home_command
from cli.output import Output
from feedback.intake import utc_now
from feedback.settings.home import Settings
from lakehouse.subject_key import accept_subject_key
from web.api_keys import KEY_SCOPES, ApiKeys, KeyScope


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", type=click.Choice(KEY_SCOPES), multiple=True, required=True, help="What the key may do."
)
@home_command
def create(settings: Settings, output: Output, name: str, scopes: tuple[KeyScope, ...]) -> None:
    """Make a key; its secret is shown once and kept nowhere."""
    secret = ApiKeys(settings.paths.api_keys_file).create(name, scopes, now=utc_now())
    output.emit({"name": name, "scopes": scopes, "key": secret})
    output.styled("API key {}: [bold]{}[/bold]  (shown once)", name, secret)


@keys.command("list")
@home_command
def list_keys(settings: Settings, output: Output) -> None:
    """List the keys of this home, without their secrets."""
    found = ApiKeys(settings.paths.api_keys_file).all()
    for key in found:
        output.emit({"name": key.name, "scopes": key.scopes, "created_at": key.created_at})
    rows = [(key.name, ", ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}") for key in found]
    output.table("", ("name", "scopes", "made"), rows)
    if not found:
        output.say("No keys yet: heed keys create NAME --scope feedback:write")


@keys.command("accept-subject-key")
@click.confirmation_option(prompt="Every person becomes a new one, without history and consent. Go on?")
@home_command
def accept_subject_key_(settings: Settings, output: Output) -> None:
    """Go on with the key of the pseudonyms that is in place, where the one of this home's data is lost for good."""
    found = f"{accept_subject_key(settings):016x}"
    output.emit({"fingerprint": found})
    output.say(f"the key with fingerprint {found} is this home's from now on")


@keys.command()
@click.argument("name")
@home_command
def revoke(settings: Settings, output: Output, name: str) -> None:
    """Revoke a key by its name."""
    ApiKeys(settings.paths.api_keys_file).revoke(name)
    output.emit({"revoked": name})
    output.say(f"revoked {name}")
