import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from app.github.permissions import ALSO_USED, WANTED, WANTED_EVENTS, missing, needless

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "manifest.yml").read_text(encoding="utf-8")
MANIFEST = yaml.safe_load(TEXT)
GRANTED = {name: level for name, (level, _) in WANTED.items()}


def test_the_manifest_asks_for_what_the_code_wants() -> None:
    assert MANIFEST["default_permissions"] == GRANTED
    assert set(MANIFEST["default_events"]) == WANTED_EVENTS


@pytest.mark.parametrize("name", WANTED)
def test_each_permission_in_the_manifest_bears_its_reason(name: str) -> None:
    level, reason = WANTED[name]
    assert f"  {name}: {level} # {reason}\n" in TEXT


def test_the_permissions_are_github_s_own_names_and_levels() -> None:
    described = json.loads((ROOT / "tests/openapi/github-slice.json").read_text(encoding="utf-8"))
    schema = described["components"]["schemas"]["app-permissions"] | {"additionalProperties": False}
    assert jsonschema_rs.is_valid(schema, {**MANIFEST["default_permissions"], **ALSO_USED})


def test_the_manifest_holds_only_keys_that_github_takes() -> None:
    known = {
        "name", "url", "hook_attributes", "redirect_url", "callback_urls", "setup_url", "description", "public",
        "default_events", "default_permissions", "request_oauth_on_install", "setup_on_update",
    }  # fmt: skip
    assert MANIFEST.keys() <= known
    assert MANIFEST["hook_attributes"]["url"] == MANIFEST["url"] + "/webhooks/github"


def test_what_is_granted_lacks_nothing_and_is_not_too_much() -> None:
    assert (missing(GRANTED), needless(GRANTED)) == ([], [])


def test_a_lower_level_is_missing_and_a_higher_one_needless() -> None:
    granted = {**GRANTED, "checks": "read", "contents": "write", "administration": "read"}
    assert [sentence.partition(":")[0] for sentence in missing(granted)] == ["checks"]
    assert needless(granted) == ["contents: write", "administration: read"]


def test_what_is_used_only_where_it_is_granted_is_never_asked_for_and_not_needless() -> None:
    assert not ALSO_USED.keys() & {*WANTED, *MANIFEST["default_permissions"]}
    assert (missing(GRANTED), missing(GRANTED, optional=True)) == ([], [])
    assert needless({**GRANTED, **ALSO_USED}) == []
    assert needless({**GRANTED, "members": "write"}) == ["members: write"]
