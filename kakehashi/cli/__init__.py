"""The ``kakehashi`` command: a thin tree that imports a part only when one of its commands is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from kakehashi import __version__
from kakehashi.errors import KakehashiError

# command → (module, attribute holding a click command, one-line help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("serving.cli", "up", "Set up and start everything; wait until each part is healthy."),
    "down": ("serving.cli", "down", "Stop everything cleanly."),
    "status": ("serving.cli", "status", "What is running, where, in which state."),
    "logs": ("serving.cli", "logs", "Show or follow the logs."),
    "serve": ("serving.cli", "serve", "Start one part: engine, gateway, minutes or proposals."),
    "config": ("kakehashi.config.cli", "config", "Check the settings, show those in force, explain one."),
    "models": ("serving.cli", "models", "Fetch, verify and convert the models."),
    "gateway": ("gateway.admin_cli", "gateway", "Adapters and routes of a running gateway."),
    "key": ("gateway.cli", "key", "Create, list and revoke virtual keys."),
    "team": ("gateway.cli", "team", "Create, change and list teams."),
    "user": ("gateway.identity.cli", "user", "Create, list and disable accounts of people."),
    "usage": ("gateway.ledger.cli", "usage", "Tokens and yen by team, key, user … from the ledger; reconcile."),
    "audit": ("gateway.audit.cli", "audit", "Verify, show, export and purge the audit log."),
    "guard": ("gateway.guardrails.cli", "guard", "Run the guardrails on texts; test a policy."),
    "minutes": ("apps.minutes.cli", "minutes", "Recording → transcript → minutes."),
    "proposals": ("apps.proposals.cli", "proposals", "Brief → sales deck."),
    "demo": ("kakehashi.demo", "demo", "The main job on bundled input, without a browser."),
}


class LazyGroup(click.Group):
    """Lists every command at once but imports its module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, help="Kakehashi (架け橋): minutes and proposals on an internal LLM gateway.")
@click.version_option(__version__, prog_name="kakehashi")
def cli() -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Expected errors become one clear message and an exit code, never a traceback."""
    try:
        cli.main(args=list(arguments) if arguments is not None else None, prog_name="kakehashi", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except KakehashiError as error:
        click.echo(f"kakehashi: {error.message}", err=True)
        if error.hint:
            click.echo(f"  → {error.hint}", err=True)
        sys.exit(error.exit_code)
