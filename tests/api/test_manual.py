"""The commands and requests of docs/api.md, run as they stand there, but for the names in capitals."""

import re
import shlex

from tests.api.conftest import Scene
from tests.architecture.source import ROOT
from tests.engine.test_command import run

PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def filled(scene: Scene, line: str) -> str:
    query = "SELECT repository_id, id FROM agent_run WHERE account_id = :account_id AND evidence = 'E1' ORDER BY id"
    repository_id, agent_run_id = scene.rows(query, scene.acme)[0]
    return line.replace("REPOSITORY_ID", str(repository_id)).replace("AGENT_RUN_ID", str(agent_run_id))


def test_every_command_of_the_page_does_what_it_says(sqlite_scene: Scene) -> None:
    commands = [filled(sqlite_scene, line) for line in LINES if line.startswith("python -m app ")]
    assert len(commands) == 10
    for command in commands:
        done = run(sqlite_scene.stage.world.db.url, *shlex.split(command.removeprefix("python -m app ")))
        assert (done.returncode, bool(done.stdout)) == (0, True), done


def test_every_request_of_the_page_is_answered(sqlite_scene: Scene) -> None:
    requests = [shlex.split(filled(sqlite_scene, line)) for line in LINES if line.startswith("curl ")]
    assert len(requests) == 13
    for request in requests:
        path = request[-1].removeprefix("https://mergemeter.example.com")
        assert sqlite_scene.reader.ask(path).status == 200, path
        assert len(request) == 2 or request[1:3] == ["-H", "Authorization: Bearer TOKEN"]
