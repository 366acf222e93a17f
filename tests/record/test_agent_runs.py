"""`POST /v1/agent-runs` over real HTTP: who may send, what may be sent, and how refusals read."""

import json
import socket
from typing import Any

import jsonschema_rs
import pytest

from app.store.admission import admission_of
from app.store.tables import AgentRun, ModelCallRow
from tests.record.issuer import ACCOUNT, Issuer
from tests.record.ledger import check_books, everything
from tests.record.reports import agent_run, call, closing, opening
from tests.record.serving import Server, install


def code(server: Server, body: Any, **options: Any) -> tuple[int, str]:
    answer = server.post(body, **options)
    assert set(answer.content) == {"code", "message"}
    assert len(answer.content["message"]) <= 300
    return answer.status, answer.content["code"]


# ---- who ------------------------------------------------------------------------------------------------------------


def test_an_opening_record_is_accepted(server: Server) -> None:
    answer = server.post(opening())
    assert (answer.status, answer.content["status"]) == (202, "opened")


def test_a_closing_record_is_recorded_and_priced(server: Server) -> None:
    answer = server.post(closing(agent_run(calls=2)))
    assert (answer.status, answer.content["status"]) == (201, "recorded")
    assert answer.content["cost_nano_usd"] == 45_000_000
    assert answer.content["price_list"] == "genai-prices 0.2.3"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic abc", "abc"])
def test_without_a_bearer_token_nothing_is_read(sqlite_server: Server, value: str) -> None:
    assert code(sqlite_server, b"not even json", headers={"Authorization": value}) == (401, "token-missing")


def test_a_refused_token_is_a_401_with_its_own_code(sqlite_server: Server) -> None:
    answer = sqlite_server.post(closing(), aud="https://other.example")
    assert (answer.status, answer.content["code"]) == (401, "token-audience")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_issuer_that_is_down_is_no_fault_of_the_caller(sqlite_server: Server, issuer: Issuer) -> None:
    issuer.answer = (500, {}, b"")
    answer = sqlite_server.post(closing())
    assert (answer.status, answer.content["code"], answer.headers["retry-after"]) == (503, "keys-unavailable", "30")


def test_an_account_that_never_installed_the_app_is_refused(server: Server) -> None:
    assert code(server, closing(agent_run()), repository_owner_id="999") == (403, "not-installed")
    assert everything(server.world.db, AgentRun) == []


@pytest.mark.parametrize(("state", "expected"), [("suspended", "suspended"), ("deleted", "not-installed")])
def test_an_account_that_is_not_active_is_refused(server: Server, state: str, expected: str) -> None:
    with server.world.db.transaction() as session:
        install(session, state=state)
    assert code(server, closing(agent_run())) == (403, expected)


def test_a_repository_that_was_taken_out_is_refused(server: Server) -> None:
    with server.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE repository SET state = 'removed'")
    assert code(server, closing(agent_run())) == (403, "not-installed")


def test_a_repository_whose_event_has_not_come_yet_is_accepted(server: Server) -> None:
    assert server.post(closing(agent_run()), repository_id="123").status == 201


def test_a_strangers_body_is_not_read(sqlite_server: Server) -> None:
    head = (
        "POST /v1/agent-runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16000000\r\n"
        f"Authorization: Bearer {sqlite_server.token(repository_owner_id='999')}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", sqlite_server.port), timeout=10) as stranger:
        stranger.sendall(head.encode() + b"{")
        assert stranger.recv(100).startswith(b"HTTP/1.1 403")


# ---- what -----------------------------------------------------------------------------------------------------------


def test_more_than_16_megabytes_are_refused(sqlite_server: Server) -> None:
    assert code(sqlite_server, b" " * (16 * 1024 * 1024 + 1)) == (413, "too-large")


def test_more_than_16_megabytes_without_a_length_are_refused(sqlite_server: Server) -> None:
    head = (
        "POST /v1/agent-runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        f"Authorization: Bearer {sqlite_server.token()}\r\n\r\n"
    )
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", sqlite_server.port), timeout=10) as sender:
        sender.sendall(head.encode())
        for _ in range(17):
            sender.sendall(chunk)
        assert sender.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}])
def test_only_plain_json_is_taken(sqlite_server: Server, headers: dict[str, str]) -> None:
    assert code(sqlite_server, closing(), headers=headers)[0] == 415


def with_count(text: str) -> bytes:
    return (
        json.dumps(closing(agent_run(calls=[call(1, input_tokens=424_242)]))).encode().replace(b"424242", text.encode())
    )


NO_COUNTS = ["NaN", "Infinity", "-Infinity", "1.0", "1e3", "0.5", "-1", "1" * 30, "9" * 5_000, "1000000000001"]


@pytest.mark.parametrize("count", [*NO_COUNTS, '"7"', "null", "true", "[]"])
def test_a_count_is_a_whole_number_within_bounds(sqlite_server: Server, count: str) -> None:
    assert code(sqlite_server, with_count(count)) in {(422, "body-malformed"), (422, "body-invalid")}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"null",
        b"[]",
        b"{}",
        b'"\xed\xa0\x80"',
        b'{"schema": 1, "schema": 2}',
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(sqlite_server: Server, body: bytes) -> None:
    assert code(sqlite_server, body) in {(422, "body-malformed"), (422, "body-invalid")}


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "\udfff\ud800"])
def test_a_text_that_no_database_holds_is_refused(sqlite_server: Server, text: str) -> None:
    assert code(sqlite_server, closing(agent_run(calls=[call(1, model=text)]))) == (422, "body-malformed")
    assert code(sqlite_server, closing(tags={"labels": {"x": text}})) == (422, "body-malformed")


def test_characters_that_only_look_broken_are_fine(server: Server) -> None:
    models = ["\\u0000", "\\ud800", "😀"]
    assert server.post(closing(agent_run(calls=[call(n, model=m) for n, m in enumerate(models)]))).status == 201


HOSTILE = [
    "</details><img src=x>",
    "@everyone",
    "'; DROP TABLE model_call; --",
    "%s %(x)s :name ?",
    "\u202ex",
    "a" * 256,
]


def test_hostile_texts_are_kept_as_they_are(server: Server) -> None:
    for text in HOSTILE:
        one = call(text[:100], model=text, service_tier=text, speed=text)
        run = agent_run(text[:128], calls=[one], agent=text[:128])
        answer = server.post(closing(run, job={"name": text}, tags={"team": text}))
        assert answer.content["agent_runs"][0]["unpriced_models"] == [text]
    kept = {run.team: run for run in everything(server.world.db, AgentRun)}
    assert {text: (run.agent, list(json.loads(run.models))) for text, run in kept.items()} == {
        text: (text[:128], [text]) for text in HOSTILE
    }


ONE_READ = {"read": 1, "edit": 0, "command": 0, "search": 0, "web": 0, "agent": 0, "other": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"agent_runs": [agent_run("s"), agent_run("s")]},
        {"agent_runs": [agent_run(calls=[call(1, reasoning_tokens=1_301)])]},
        {"agent_runs": [agent_run(calls=[call(1, at="2020-01-01T00:00:00Z")])]},
        {"agent_runs": [agent_run(calls=[call(1, at="2096-01-01T00:00:00Z")])]},
        {"agent_runs": [agent_run(calls=[call(1, at="2026-02-30T00:00:00Z")])]},
        {"agent_runs": [agent_run(calls=[call(1, at="2026-02-20 00:00:00")])]},
        {"agent_runs": [agent_run(calls=[call(1, id="")])]},
        {"agent_runs": [agent_run(completeness="certain")]},
        {"agent_runs": [agent_run(reported_cost_usd="NaN")]},
        {"agent_runs": [agent_run(str(n), 0) for n in range(501)]},
        {"agent_runs": [agent_run(shape={"prompt": "text"})]},
        {"agent_runs": [agent_run(shape={"turns": -1})]},
        {"agent_runs": [agent_run(shape={"tool_calls": {"read": 1}})]},
        {"agent_runs": [agent_run(shape={"tool_calls": ONE_READ, "failed_tool_calls": 2})]},
        {"agent_runs": [agent_run(shape={"tool_calls": ONE_READ, "repeated_requests": 2})]},
        {"agent_runs": [agent_run(shape={"tool_calls": ONE_READ, "repeated_reads": 2})]},
        {"phase": "opened", "agent_runs": [agent_run()]},
        {"schema": "mergemeter.agent-runs/2"},
        {"surprise": 1},
        {"tags": {"labels": {"a b": "c"}}},
        {"tags": {"labels": {str(n): "x" for n in range(21)}}},
        {"job": {"name": "x", "started_at": "yesterday"}},
    ],
)
def test_an_impossible_record_is_refused_with_its_place(sqlite_server: Server, wrong: dict[str, Any]) -> None:
    answer = sqlite_server.post(closing() | wrong)
    assert (answer.status, answer.content["code"]) == (422, "body-invalid")
    assert answer.content["message"].startswith("/")
    assert everything(sqlite_server.world.db, AgentRun) == []


def test_counts_that_amount_to_a_fortune_are_refused(server: Server) -> None:
    huge = call(1, model="claude-opus-4-5", output_tokens=10**12)
    assert code(server, closing(agent_run(calls=[huge]))) == (422, "counts-implausible")
    free = call(1, model="nobody-knows", output_tokens=10**12)
    assert server.post(closing(agent_run(calls=[free]))).content["unpriced_calls"] == 1


def test_a_refusal_does_not_echo_what_was_sent(sqlite_server: Server) -> None:
    answer = sqlite_server.post(closing(agent_run(calls=[call(1, model="s3cret" * 1_000)])))
    assert answer.status == 422
    assert "s3cret" not in json.dumps(answer.content)


def test_the_schema_is_published_and_holds_for_what_we_take(sqlite_server: Server) -> None:
    schema = sqlite_server.ask("GET", "/v1/schemas/agent-runs-1.json").content
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(closing(agent_run()))


def test_other_methods_are_not_allowed(sqlite_server: Server) -> None:
    answer = sqlite_server.post(closing())
    assert answer.status == 201
    assert sqlite_server.ask("GET", "/v1/agent-runs").status == 405


# ---- money in public ------------------------------------------------------------------------------------------------


def test_a_public_repositorys_answer_has_no_amount(server: Server) -> None:
    content = server.post(closing(agent_run()), repository_visibility="public").content
    assert content["show_money"] is False
    assert content["cost_nano_usd"] is None
    assert content["agent_runs"][0]["cost_nano_usd"] is None
    assert content["agent_runs"][0]["output_tokens"] == 2_600


def test_the_configuration_can_show_money_in_public(server: Server) -> None:
    configure(server, "public_repositories:\n  show_money: true\n")
    content = server.post(closing(agent_run()), repository_visibility="public").content
    assert content["cost_nano_usd"] == 45_000_000


def test_a_negotiated_discount_is_in_the_cost(server: Server) -> None:
    configure(server, "discounts:\n  - provider: anthropic\n    percent: 10\n    from: 2020-01-01\n")
    assert server.post(closing(agent_run())).content["cost_nano_usd"] == 40_500_000


def test_what_was_agreed_is_booked_and_list_cost_and_price_list_are_kept_beside(server: Server) -> None:
    listed = "  - {provider: anthropic, model: claude-sonnet-4-5*, from: 2020-01-01, input: 1, output: 2}"
    house = "  - {provider: house, model: llama-9, from: 2020-01-01, input: 1, output: 2}"
    configure(server, f"prices:\n{listed}\n{house}\n")
    made = [call(1), call(2, provider="house", model="llama-9"), call(3, model="claude-haiku-4-5"), call(4, model="x")]
    content = server.post(closing(agent_run(calls=made))).content
    assert (content["cost_nano_usd"], content["unpriced_calls"]) == (2 * 3_600_000 + 7_500_000, 1)
    rows = {row.response_id: row for row in everything(server.world.db, ModelCallRow)}
    kept = [(rows[f"msg_{n}"].cost_nano_usd, rows[f"msg_{n}"].list_cost_nano_usd) for n in (1, 2, 3, 4)]
    assert kept == [(3_600_000, 22_500_000), (3_600_000, None), (7_500_000, 7_500_000), (None, None)]
    assert [rows[f"msg_{n}"].price_list.partition(" ")[0] for n in (1, 2, 3, 4)] == [
        "mergemeter.yml",
        "mergemeter.yml",
        "genai-prices",
        "genai-prices",
    ]
    (run,) = everything(server.world.db, AgentRun)
    assert (run.list_cost_nano_usd, run.unlisted_calls, run.price_list) == (30_000_000, 2, "genai-prices 0.2.3")
    assert check_books(server.world.db) == run.cost_nano_usd


def test_a_fortune_at_list_prices_is_refused_even_where_it_costs_nothing(server: Server) -> None:
    configure(server, "discounts:\n  - provider: anthropic\n    percent: 100\n    from: 2020-01-01\n")
    huge = call(1, model="claude-opus-4-5", output_tokens=10**12)
    assert code(server, closing(agent_run(calls=[huge]))) == (422, "counts-implausible")


def configure(server: Server, text: str) -> None:
    with server.world.db.transaction() as session:
        values = {"account_id": ACCOUNT, "text": text}
        session.connection().exec_driver_sql(
            "INSERT INTO config_version (account_id, source, public, good_text, read_text, problems, read_at_us)"
            f" VALUES ({values['account_id']}, '', false, '{values['text']}', '', '[]', 0)"
        )
        assert admission_of(session, ACCOUNT, 1).config == text
