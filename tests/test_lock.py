"""The lock: exact packages with hashes from any index, and what pyproject.toml asks for, no less and no more."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
RUNTIME = PROJECT["project"]["dependencies"]
ASKED = {
    "install": GROUPS["install"],
    "build": GROUPS["build"],
    "runtime": RUNTIME,
    "dev": [*RUNTIME, *GROUPS["dev"]],
    "release": GROUPS["release"],
    "frameworks": GROUPS["frameworks"],
    "api": GROUPS["api"],
    "peers": GROUPS["peers"],
}
"""What each file of the lock is made from."""

_ENTRY = re.compile(r"^(?P<pin>[a-z].*?) \\\n(?P<hashes>(?:    --hash=.*\n)+)(?P<origin>(?:    #.*\n)+)", re.MULTILINE)


def locked(name: str) -> dict[str, tuple[Requirement, str]]:
    """The entries of a file: each pin, and who asks for it."""
    entries = _ENTRY.finditer(text_of(name))
    pins = ((Requirement(entry["pin"]), entry["origin"]) for entry in entries)
    return {pin.name: (pin, origin) for pin, origin in pins}


def versions(name: str) -> dict[str, str]:
    return {package: str(pin.specifier) for package, (pin, _) in locked(name).items()}


def text_of(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def test_every_file_is_known() -> None:
    assert {path.stem for path in (ROOT / "requirements").iterdir()} == set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_it_holds_nothing_but_exact_pins_with_hashes(name: str) -> None:
    """No index, address or file: the same lock serves every mirror."""
    rest = [line for line in _ENTRY.sub("", text_of(name)).splitlines() if not line.startswith("#")]
    assert rest == []
    for pin, _ in locked(name).values():
        assert pin.url is None
        assert re.fullmatch(r"==[\w.!+]+", str(pin.specifier))
    assert set(re.findall(r"--hash=(\w+):", text_of(name))) == {"sha256"}


@pytest.mark.parametrize("name", ASKED)
def test_it_is_what_the_project_asks_for(name: str) -> None:
    """After a change of pyproject.toml: make lock."""
    asked = {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, ASKED[name])}
    entries = locked(name)
    for package, requirement in asked.items():
        pin, _ = entries[package]
        (version,) = pin.specifier
        assert requirement.specifier.contains(version.version), f"{package} is not locked as {requirement}"
    assert {package for package, (_, origin) in entries.items() if "pyproject.toml" in origin} == asked.keys()


def test_tests_run_with_what_is_deployed() -> None:
    runtime, dev = versions("runtime"), versions("dev")
    assert {package: dev[package] for package in runtime} == runtime


def test_what_builds_the_project_is_locked() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(GROUPS["build"])
