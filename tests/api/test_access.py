"""Who may read what: two organisations, tokens of other scopes, revoked ones, and what is asked for wrongly."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import update

from app.store.access_tokens import revoke, tokens_of
from app.store.tables import AccessToken, Installation
from app.web.api.table import OPERATIONS
from tests.api.conftest import Scene
from tests.api.reader import Reader, new_token
from tests.record.ledger import everything

UNKNOWN = "This is no access token, or it was revoked: `token add --scope read` makes one."


def places(scene: Scene, account_id: int) -> Iterator[dict[str, Any]]:
    """Path values of everything that an account has."""
    yield {"month": "2026-10"}
    yield {"first": "2026-10-05", "last": "2026-10-11"}
    for (repository_id,) in scene.rows(
        "SELECT repository_id FROM repository WHERE account_id = :account_id", account_id
    ):
        yield {"repository_id": repository_id}
    for repository_id, number in scene.rows(
        "SELECT repository_id, number FROM pull WHERE account_id = :account_id", account_id
    ):
        yield {"repository_id": repository_id, "number": number}
    for (run,) in scene.rows("SELECT id FROM agent_run WHERE account_id = :account_id", account_id):
        yield {"agent_run_id": run}


def paths(scene: Scene, account_id: int) -> list[str]:
    """Every route with the ids of everything that an account has."""
    found = []
    for operation in OPERATIONS:
        query = "?month=2026-10" if "month" in operation.query else ""
        for values in places(scene, account_id):
            path = operation.path
            for name, value in values.items():
                path = path.replace("{" + name + "}", str(value))
            if "{" not in path:
                found.append(path + query)
    return sorted(set(found))


def test_everything_of_an_account_is_there_for_its_own_token(sqlite_scene: Scene) -> None:
    asked = paths(sqlite_scene, sqlite_scene.acme)
    assert len(asked) > 20
    assert {sqlite_scene.reader.ask(path).status for path in asked} == {200}


def test_nothing_of_another_account_is_there(scene: Scene) -> None:
    theirs = [
        path for path in paths(scene, scene.other) if "repositories/" in path or "pulls/" in path or "runs/" in path
    ]
    assert len(theirs) >= 4
    for path in theirs:
        assert scene.stranger.ask(path).status == 200
        answer = scene.reader.ask(path)
        assert (answer.status, answer.content["code"]) == (404, "not-found")


def test_no_answer_names_anything_of_another_account(sqlite_scene: Scene) -> None:
    said = "".join(str(sqlite_scene.reader.ask(path).content) for path in paths(sqlite_scene, sqlite_scene.acme))
    assert "acme/widgets" in said
    assert "secret" not in said
    assert "other" not in said.replace("cache_write_other", "").replace("another", "")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_without_a_good_token_nothing_is_told(sqlite_scene: Scene, operation: Any) -> None:
    path = operation.path.replace("{month}", "2026-10").replace("{repository_id}", "1").replace("{number}", "1")
    for headers in ({}, {"Authorization": "Basic x"}, {"Authorization": "Bearer "}):
        answer = sqlite_scene.server.ask("GET", path, headers=headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.content["code"] == "token-missing"
    for token in ("x", "mgm_" + "A" * 43):
        answer = Reader(sqlite_scene.server, token).ask(path)
        assert (answer.status, answer.content) == (401, {"code": "token-unknown", "message": UNKNOWN})


@pytest.mark.parametrize("scope", ["ingest", "metrics"])
def test_a_token_of_another_scope_reads_nothing(sqlite_scene: Scene, scope: str) -> None:
    token = new_token(sqlite_scene.stage.world.db, sqlite_scene.acme, scope)
    answer = Reader(sqlite_scene.server, token).ask("/v1/repositories")
    assert (answer.status, answer.content["code"]) == (403, "wrong-scope")
    assert answer.content["message"] == f"This access token's scope is {scope}, not read."


def test_a_token_that_reads_sends_no_telemetry(sqlite_scene: Scene) -> None:
    headers = {"Authorization": f"Bearer {sqlite_scene.reader.token}", "Content-Type": "application/json"}
    assert sqlite_scene.server.ask("POST", "/v1/logs", b"{}", headers).status == 401


def test_a_revoked_token_is_refused_from_that_moment(scene: Scene) -> None:
    reader, database = scene.reader, scene.stage.world.db
    assert reader.ask("/v1/repositories").status == 200
    with database.transaction() as session:
        (token,) = tokens_of(session, scene.acme)
        assert revoke(session, token.id, datetime.now(UTC)) is not None
    answer = reader.ask("/v1/repositories")
    assert (answer.status, answer.content["code"]) == (401, "token-unknown")


def test_a_tokens_use_is_noted(scene: Scene) -> None:
    scene.reader.get("/v1/repositories")
    (token,) = everything(scene.stage.world.db, AccessToken)
    assert token.used_at_us is not None


@pytest.mark.parametrize("state", ["suspended", "deleted"])
def test_an_account_without_the_app_is_refused(sqlite_scene: Scene, state: str) -> None:
    reader = sqlite_scene.reader
    with sqlite_scene.stage.world.db.transaction() as session:
        session.exec(update(Installation).values(state=state))
    answer = reader.ask("/v1/repositories")
    assert (answer.status, answer.content["code"]) == (403, "not-installed")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/v1/repositories/1/pulls", "The parameter month is missing: A month in UTC, as 2026-10."),
        ("/v1/shares.csv?month=October", "The parameter month is malformed: A month in UTC, as 2026-10."),
        ("/v1/shares.csv?month=2026-10&month=2026-11", "The parameter month was sent twice."),
        ("/v1/repositories?limit=0", "The parameter limit is malformed: How many at most."),
        ("/v1/repositories?limit=1000", "The parameter limit is malformed: How many at most."),
        ("/v1/shares.csv?month=2026-10&repository_id=x", "The parameter repository_id is malformed: One repository."),
        ("/v1/repositories?page=2", "There is no parameter 'page' here; known are: limit, cursor."),
    ],
)  # fmt: skip
def test_a_query_that_is_wrong_is_told_how(sqlite_scene: Scene, path: str, sentence: str) -> None:
    answer = sqlite_scene.reader.ask(path)
    assert (answer.status, answer.content) == (400, {"code": "parameter", "message": sentence})


@pytest.mark.parametrize(
    "path",
    [
        "/v1/months/2026-13", "/v1/months/9999-12", "/v1/repositories/x/pulls?month=2026-10", "/v1/pulls/1/0",
        "/v1/pulls/99999999999999999999/1", "/v1/agent-runs/x", "/v1/agent-runs/" + "0" * 32,
        "/v1/agent-runs/%00/calls", "/v1/repositories/-1/pulls?month=2026-10",
    ],
)  # fmt: skip
def test_a_path_that_names_nothing_is_not_found(scene: Scene, path: str) -> None:
    assert scene.reader.ask(path).status == 404


def test_telemetry_of_metrics_is_still_only_sent(sqlite_scene: Scene) -> None:
    assert sqlite_scene.reader.ask("/v1/metrics").status == 405
