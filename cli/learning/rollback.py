"""`heed rollback`: serve an earlier bundle again, until it is released."""

from __future__ import annotations

import click

from cli.options import home_command
from cli.output import Output
from feedback.errors import UsageError
from feedback.settings.home import Settings


@click.command()
@click.argument("version", required=False)
@click.option("--release", is_flag=True, help="Let the next run publish again; what serves goes on until then.")
@home_command
def rollback(settings: Settings, output: Output, version: str | None, release: bool) -> None:
    """Point serving at the bundle before the current one, or at VERSION; one atomic step.

    It holds: runs go on judging, and publish nothing until `heed rollback --release`.
    """
    from models.bundle.store import BundleStore

    if release and version is not None:
        raise UsageError(f"heed rollback --release {version}: a release takes no version; leave one of them out")
    store = BundleStore(settings.paths.bundles)
    before = store.current_version()
    now = before if release else store.rollback(version)
    if release:
        held = store.release()
        output.say(f"released: the next run may publish; until then {now} serves" if held else "no rollback holds")
    else:
        output.styled("serving [bold]{}[/bold] again (was {})", now, before)
        output.say("runs publish nothing until `heed rollback --release`")
    _tell_registry(settings, output, {"from": before, "to": now, "versions": store.versions(), "held": not release})


def _tell_registry(settings: Settings, output: Output, told: dict[str, object]) -> None:
    """Set MLflow's champion to what serves; serving does not depend on it."""
    from models.tracking.champion import align_champion

    champion = align_champion(settings.mlflow, settings.paths)
    output.emit({**told, "champion": champion.version, "registry_problem": champion.problem})
    if champion.problem:
        click.echo(f"heed rollback: {champion.problem}; the next run or rollback tells it what serves", err=True)
    elif champion.version:
        output.say(f"MLflow's champion is version {champion.version}")
