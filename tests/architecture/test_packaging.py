"""What people install or what runs on GitHub: pinned, unprivileged, and of the right form."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.architecture.source import ROOT, files

WORKFLOWS = [path for path in files() if path.parts[:2] == (".github", "workflows")]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCKS = [path for path in files() if path.suffix == ".lock"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=str)
def test_actions_are_pinned_to_a_commit_with_its_version_beside_it(path: Path) -> None:
    used = re.findall(r"uses: (\S.*)", (ROOT / path).read_text(encoding="utf-8"))
    foreign = [use for use in used if not use.startswith(("./", "$/"))]  # of this very commit
    assert [use for use in foreign if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+(\.\d+)*", use)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=str)
def test_workflows_have_no_permission_but_the_ones_that_a_job_names(path: Path) -> None:
    workflow = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    assert all("permissions" in job for job in workflow["jobs"].values())


def test_the_ci_script_can_be_run_and_parses() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("path", LOCKS, ids=str)
def test_lock_files_hold_hashes_and_no_address(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.findall(r"^\S+==(?:.*\\\n)+.*", text, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^\S+==", text, re.MULTILINE))
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_app_is_locked_to_the_same_versions_as_in_development() -> None:
    def versions(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert versions("app.lock") - versions("dev.lock") == set()


def test_the_standalone_mode_has_two_packages_and_the_prices_of_the_app() -> None:
    folder = ROOT / "action" / "standalone"
    asked = re.findall(r"^[\w-]+", (folder / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)
    assert [name.lower() for name in asked] == ["genai-prices", "pygithub"]
    locks = [folder / "requirements.lock", ROOT / "requirements" / "app.lock"]
    pins = [re.findall(r"^genai-prices==\S+", lock.read_text(encoding="utf-8"), re.MULTILINE) for lock in locks]
    assert len(pins[0]) == 1
    assert pins[0] == pins[1]


def test_the_image_ends_as_an_unprivileged_user_with_a_health_check() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!root)\w+$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert "--require-hashes" in DOCKERFILE


def test_the_health_check_is_a_program_that_parses() -> None:
    command = json.loads(DOCKERFILE.partition("CMD ")[2].partition("\n")[0])
    assert command[:2] == ["python", "-c"]
    assert compile(command[2], "HEALTHCHECK", "exec")


def test_everything_that_the_image_copies_is_there_and_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [name for name in copied if not (ROOT / name).exists() or f"!{name}" not in allowed] == []


def test_compose_gives_the_app_no_more_than_it_needs() -> None:
    app = COMPOSE["services"]["mergemeter"]
    assert app["read_only"] is True
    assert app["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in app["ports"])


def test_compose_starts_postgresql_only_in_its_profile() -> None:
    assert COMPOSE["services"]["database"]["profiles"] == ["postgres"]
    assert "profiles" not in COMPOSE["services"]["mergemeter"]
    assert COMPOSE["services"]["mergemeter"]["depends_on"]["database"]["required"] is False


def test_compose_names_every_volume_and_secret_that_a_service_uses() -> None:
    services = COMPOSE["services"].values()
    volumes = {volume.partition(":")[0] for service in services for volume in service.get("volumes", [])}
    secrets = {secret for service in services for secret in service.get("secrets", [])}
    assert volumes == COMPOSE["volumes"].keys()
    assert secrets == COMPOSE["secrets"].keys()
