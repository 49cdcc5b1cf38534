"""The set-up script: pip's settings for uv, where torch comes from, what is missing, stamps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kakehashi.paths import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "tools"))
import setup_environment as environment
import setup_system as system

LOCKS = sorted((CHECKOUT / "requirements").glob("*.lock"))
LISTING = """\
:env:.cert='/etc/ssl/ca.crt'
:env:.find-links='/srv/wheels'
global.extra-index-url='file:///opt/simple https://mirror.example/simple'
global.find-links='/somewhere/else'
global.index-url='https://pypi.example/simple'
"""


def test_pips_settings_are_handed_to_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in environment.PIP_TO_UV.values():
        monkeypatch.delenv(variable, raising=False)
    env = environment.uv_environment(environment.parse_pip_config(LISTING))
    assert env["UV_DEFAULT_INDEX"] == "https://pypi.example/simple"
    assert env["UV_INDEX"] == "https://mirror.example/simple"  # uv has no flat file indexes
    assert env["UV_FIND_LINKS"] == "/srv/wheels"  # the environment wins over the file
    assert env["SSL_CERT_FILE"] == "/etc/ssl/ca.crt"


def test_what_the_caller_set_for_uv_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine.example")
    assert "UV_DEFAULT_INDEX" not in environment.uv_environment({"index-url": "https://pypi.example/simple"})


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "engine-cpu.lock"
    file.write_text("numpy==2.3.0 \\\n    --hash=sha256:00\ntorch==2.13.0+cpu \\\n    --hash=sha256:11\n")
    return file


def test_torch_comes_from_find_links_where_they_have_it(lock: Path, tmp_path: Path) -> None:
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl").touch()
    assert environment.torch_options(str(tmp_path), lock) == []
    assert environment.torch_options(f"file://{tmp_path}", lock) == []
    assert environment.torch_options("https://wheels.example/", lock) == []


@pytest.mark.parametrize("find_links", ["", "/nowhere"])
def test_torch_comes_from_its_own_index_elsewhere(find_links: str, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.torch_options(find_links, lock)[:2] == ["--index", environment.TORCH_CPU_INDEX]
    monkeypatch.setenv("KAKEHASHI_TORCH_INDEX", "https://mirror.example/cpu")
    assert environment.torch_options(find_links, lock)[1] == "https://mirror.example/cpu"


@pytest.mark.parametrize("file", LOCKS, ids=lambda file: file.name)
def test_locks_pin_everything_by_hash_and_name_no_host(file: Path) -> None:
    text = file.read_text()
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert len(requirements) >= 1
    assert [r.split()[0] for r in requirements if "==" not in r.split()[0] or "--hash=sha256:" not in r] == []
    assert "://" not in text


def test_the_cpu_engine_brings_no_cuda() -> None:
    names = {line.split("==")[0] for line in (CHECKOUT / "requirements/engine-cpu.lock").read_text().splitlines()}
    assert not {"torchvision", "torchaudio", "torchcodec", "triton"} & names
    assert not [name for name in names if name.startswith("nvidia-")]


def test_an_environment_is_current_until_its_lock_changes(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]")
    lock = tmp_path / "requirements" / "main.lock"
    lock.write_text("a==1")
    venv = environment.Environment(tmp_path, ".venv", "main", sys.executable, "test")
    assert not venv.is_current()
    venv.create()
    venv.stamp()
    assert venv.is_current()
    lock.write_text("a==2")
    assert not venv.is_current()


def test_a_broken_environment_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").write_text("not a program")
    venv = environment.Environment(tmp_path, ".venv", "main", sys.executable, "test")
    venv.create()
    assert environment.version_of(str(venv.interpreter)) == sys.version_info[:2]


def test_an_interpreter_that_is_none_has_no_version(tmp_path: Path) -> None:
    assert environment.version_of("no-such-python") == ()
    assert environment.version_of("false") == ()


# -- system packages --------------------------------------------------------------------------------------------------

NEEDED = [system.Package("kk-not-a-package", "nothing"), system.Package("dpkg", "everything")]


@pytest.mark.skipif(not Path("/usr/bin/dpkg-query").exists(), reason="not a Debian system")
def test_only_what_is_not_installed_is_missing() -> None:
    assert [package.name for package in system.missing(NEEDED)] == ["kk-not-a-package"]


def test_what_is_missing_is_recorded_with_the_command_that_adds_it(tmp_path: Path) -> None:
    file = tmp_path / "run" / "missing.json"
    system.record(file, NEEDED[:1])
    body = json.loads(file.read_text())
    assert body["missing"] == [{"package": "kk-not-a-package", "for": "nothing"}]
    assert body["command"].endswith("apt-get install -y kk-not-a-package")
    system.record(file, [])
    assert not file.exists()


def test_nothing_is_installed_where_it_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_NO_SYSTEM_PACKAGES", "1")
    assert system.install_command(NEEDED) is None
    monkeypatch.delenv("KAKEHASHI_NO_SYSTEM_PACKAGES")
    monkeypatch.setattr(system, "_privilege", lambda: None)
    assert system.install_command(NEEDED) is None


def test_the_setup_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tools'); import setup; "
        "print([m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names "
        "and not m.startswith(('setup', '_', 'sitecustomize'))])"
    )
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, cwd=CHECKOUT)
    assert run.stdout.strip() == "[]", run.stderr
