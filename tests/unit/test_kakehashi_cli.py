"""The command line: every command is there, errors are one message and an exit code, help needs no heavy import."""

import subprocess
import sys

import click
import pytest

from kakehashi import cli as command_line
from kakehashi.errors import BadInput, IntegrityError, KakehashiError, NotReady


@pytest.mark.parametrize("name", list(command_line.COMMANDS))
def test_each_command_exists_and_explains_itself(name: str) -> None:
    command = command_line.cli.get_command(click.Context(command_line.cli), name)
    assert isinstance(command, click.Command)
    assert command.help


def test_help_imports_no_part() -> None:
    script = (
        "import sys; from kakehashi.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'fastapi', 'streamlit', 'pptx', 'faster_whisper', 'sqlalchemy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "minutes" in done.stdout


@pytest.mark.parametrize(
    ("error", "code"), [(BadInput("壊れた音声", hint="別の形式で"), 2), (NotReady("x"), 3), (IntegrityError("x"), 4)]
)
def test_expected_errors_become_a_message_and_an_exit_code(
    error: KakehashiError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(command_line, "cli", failing)
    with pytest.raises(SystemExit) as stopped:
        command_line.main([])
    assert stopped.value.code == code
    shown = capsys.readouterr().err
    assert error.message in shown and error.hint in shown and "Traceback" not in shown


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["nonsense"])
    assert stopped.value.code == 2
    assert "nonsense" in capsys.readouterr().err
