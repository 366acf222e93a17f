"""Who may send telemetry, and in which form: what is refused, how, and that nothing of it is kept."""

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from sqlmodel import delete, update

from app.store.access_tokens import revoke, tokens_of
from app.store.database import Database
from app.store.tables import AccessToken, AgentRun, Installation, ModelCallRow
from tests.record.issuer import ACCOUNT
from tests.record.ledger import everything
from tests.record.reports import START, agent_run, closing
from tests.record.serving import Server, install
from tests.record.telling import JSON, PROTOBUF, api_request, logs, new_token, tell

ROOT = Path(__file__).resolve().parents[2]
BODY = logs(api_request("req_1", START))
UNKNOWN = "This is no access token for telemetry, or it was revoked: `python -m app token add` makes one."


def ask(server: Server, token: str, raw: bytes, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {token}", "Content-Type": JSON}
    return server.ask("POST", "/v1/logs", raw, {**sent, **{k.replace("_", "-"): v for k, v in headers.items()}})


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics", "/v1/traces"])
def test_without_a_token_nothing_is_read(sqlite_server: Server, path: str) -> None:
    answer = sqlite_server.ask("POST", path, b"not even JSON", {"Content-Type": JSON})
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.content == {"code": 16, "message": "Send an access token once, as Authorization: Bearer …"}


@pytest.mark.parametrize("token", ["x", "mgm_", "mgm_" + "A" * 43, "\N{CHECK MARK}".encode().decode("latin-1")])
def test_an_unknown_token_is_refused(sqlite_server: Server, token: str) -> None:
    new_token(sqlite_server.world.db)
    answer = tell(sqlite_server, "logs", BODY, token)
    assert (answer.status, answer.content) == (401, {"code": 16, "message": UNKNOWN})
    assert everything(sqlite_server.world.db, ModelCallRow) == []


def test_a_jobs_own_token_is_no_token_for_telemetry_and_the_other_way_round(server: Server) -> None:
    assert tell(server, "logs", BODY, server.token()).status == 401
    assert server.post(closing(agent_run()), token=new_token(server.world.db)).status == 401


def test_a_revoked_token_is_refused_from_that_moment(server: Server) -> None:
    database = server.world.db
    token, other = new_token(database), new_token(database, name="another")
    assert tell(server, "logs", BODY, token).status == 200
    with database.transaction() as session:
        first = tokens_of(session, ACCOUNT)[0]
        assert revoke(session, first.id, datetime.now(UTC)) is not None
        assert revoke(session, first.id, datetime.now(UTC)) is None
    assert tell(server, "logs", BODY, token).status == 401
    assert tell(server, "logs", BODY, other).status == 200


def test_a_token_is_kept_as_a_hash_and_its_use_is_noted(server: Server) -> None:
    database = server.world.db
    token = new_token(database)
    tell(server, "logs", BODY, token)
    (row,) = everything(database, AccessToken)
    assert token not in json.dumps(row.model_dump())
    assert row.used_at_us is not None
    assert row.scope == "ingest"


@pytest.mark.parametrize("state", ["suspended", "deleted"])
def test_an_account_without_the_app_is_refused(server: Server, state: str) -> None:
    token = new_token(server.world.db)
    with server.world.db.transaction() as session:
        session.exec(update(Installation).values(state=state))
    answer = tell(server, "logs", BODY, token)
    assert (answer.status, answer.content["code"]) == (403, 7)
    assert answer.content["message"] == "The App is not installed and active on this account."


def test_a_token_of_one_organisation_writes_nothing_into_another(server: Server) -> None:
    database = server.world.db
    with database.transaction() as session:
        install(session, ACCOUNT + 1, 9_001, installation_id=11, owner="evil")
    theirs = new_token(database, ACCOUNT + 1)
    ours = new_token(database)
    named = logs(api_request("req_1", START), resource={"vcs.owner.name": "acme", "vcs.repository.name": "widgets"})
    assert tell(server, "logs", named, ours).status == 200
    assert tell(server, "logs", named, theirs).status == 200
    runs = {run.account_id: run for run in everything(database, AgentRun)}
    assert runs[ACCOUNT].repository_id != 0
    assert runs[ACCOUNT + 1].repository_id == 0
    assert [run.model_calls for run in runs.values()] == [1, 1]


@pytest.mark.parametrize(
    ("headers", "status", "sentence"),
    [
        ({"Content_Type": "text/plain"}, 415, "Send OTLP as application/json or application/x-protobuf."),
        ({"Content_Encoding": "br"}, 415, "Send the body plain or with gzip."),
        ({"Content_Encoding": "gzip"}, 400, "The body is not whole gzip."),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    sqlite_server: Server, headers: dict[str, str], status: int, sentence: str
) -> None:
    answer = ask(sqlite_server, new_token(sqlite_server.world.db), json.dumps(BODY).encode(), **headers)
    assert (answer.status, answer.content) == (status, {"code": 3, "message": sentence})


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"resourceLogs": 5}', b"\xff"])
def test_a_body_that_is_no_otlp_is_refused_and_not_to_be_sent_again(sqlite_server: Server, raw: bytes) -> None:
    answer = ask(sqlite_server, new_token(sqlite_server.world.db), raw)
    assert (answer.status, answer.content["code"]) == (400, 3)


def test_a_body_beyond_8_mb_is_refused_plain_and_zipped(sqlite_server: Server) -> None:
    token, large = new_token(sqlite_server.world.db), b" " * (8 * 1024 * 1024 + 1)
    plain = ask(sqlite_server, token, large)
    zipped = ask(sqlite_server, token, gzip.compress(large), Content_Encoding="gzip")
    assert (plain.status, zipped.status) == (413, 413)
    assert plain.content == zipped.content


def test_a_protobuf_sender_is_answered_in_protobuf(server: Server) -> None:
    token = new_token(server.world.db)
    good = ask(server, token, b"", Content_Type=PROTOBUF)
    bad = ask(server, "x", b"", Content_Type=PROTOBUF)
    assert (good.status, good.headers["content-type"], good.content) == (200, PROTOBUF, {})
    assert (bad.status, bad.headers["content-type"]) == (401, PROTOBUF)
    assert bad.content["raw"].startswith(b"\x08\x10\x12")
    assert UNKNOWN.encode() in bad.content["raw"]


def test_a_protobuf_sender_is_told_what_was_refused(server: Server) -> None:
    from google.protobuf import json_format  # noqa: PLC0415
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest  # noqa: PLC0415

    body = json_format.ParseDict(logs(api_request("req_1", START, output_tokens=-1)), ExportLogsServiceRequest())
    answer = tell(server, "logs", body.SerializeToString(), new_token(server.world.db), protobuf=True)
    told = ExportLogsServiceResponse.FromString(answer.content["raw"]).partial_success
    assert (told.rejected_log_records, told.error_message) == (1, "output_tokens is not a token count.")


def test_what_cannot_be_written_now_is_to_be_sent_again(server: Server) -> None:
    database = server.world.db
    token = new_token(database)
    with database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE model_call RENAME TO hidden")
    answer = tell(server, "logs", BODY, token)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.content == {"code": 14, "message": "It could not be written now; send it again."}
    with database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE hidden RENAME TO model_call")
    assert tell(server, "logs", BODY, token).status == 200
    assert [call.response_id for call in everything(database, ModelCallRow)] == ["req_1"]


# ---- the command line ---------------------------------------------------------------------------------------------


def command(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "MERGEMETER_DATABASE_URL": database.url}
    return subprocess.run(
        [sys.executable, "-m", "app", "token", *arguments],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_tokens_are_made_listed_and_revoked_on_the_command_line(sqlite_server: Server) -> None:
    database = sqlite_server.world.db
    made = command(database, "add", "--account", "acme", "--name", "laptops")
    secret = made.stdout.strip()
    assert made.returncode == 0
    assert secret.startswith("mgm_")
    assert tell(sqlite_server, "logs", BODY, secret).status == 200
    listed = command(database, "list")
    assert "laptops" in listed.stdout
    assert secret not in listed.stdout
    token_id = listed.stdout.split()[0]
    revoked = command(database, "revoke", token_id)
    assert (revoked.returncode, revoked.stderr.strip()) == (0, f"{token_id} (laptops) is refused from now on")
    assert tell(sqlite_server, "logs", BODY, secret).status == 401
    assert "revoked" in command(database, "list", "--account", "acme").stdout
    again = command(database, "revoke", token_id)
    assert again.returncode == 1
    assert "There is no token" in again.stderr


def test_a_token_needs_an_account_on_which_the_app_is_and_a_name(sqlite_server: Server) -> None:
    database = sqlite_server.world.db
    nobody = command(database, "add", "--account", "nobody", "--name", "x")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "no such account" in nobody.stderr
    nameless = command(database, "add", "--account", "acme", "--name", " ")
    assert (nameless.returncode, nameless.stderr.strip()) == (2, "A token's name has 1 to 100 characters.")
    with database.transaction() as session:
        session.exec(delete(AccessToken))
    assert command(database, "list").stderr.strip() == "there are no tokens"
