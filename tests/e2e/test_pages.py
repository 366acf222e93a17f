"""What a person sees in a real browser: the check, the annotation and the comment; hostile names stay names."""

import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts.screenshots import OPTIONS
from scripts.smaller_png import SIGNATURE, smaller
from tests import optional
from tests.e2e.stage import PATH, WORKFLOW, Organisation, Stage
from tests.record.reports import agent_run, call, closing

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "</code></details><img src=x onerror=\"document.title='gone'\"><script>document.title='gone'</script>@everyone"
)
pytestmark = pytest.mark.optional("chromium")


class Seen(HTMLParser):
    """The elements and the visible text of a page as the browser holds it after running everything in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self._hidden += tag in {"style", "head"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "head"}

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data


def browse(*arguments: str, profile: Path) -> str:
    program = optional.chromium()
    assert program is not None
    command = [program, *OPTIONS, f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def seen(address: str, profile: Path) -> Seen:
    return Seen(browse("--dump-dom", address, profile=profile))


@pytest.fixture(scope="module")
def org(stage: Stage) -> Organisation:
    """An organisation with a merged pull whose names are all hostile, and a month."""
    stage.gh.create_account("looks")
    stage.gh.create_repository("looks/.github-private", files={"mergemeter.yml": "summary:\n  repository: finance\n"})
    stage.gh.create_repository("looks/finance")
    stage.gh.create_repository("looks/gadgets")
    made = stage.organisation("looks", {PATH: WORKFLOW})
    pull = made.open(title=f"Title {HOSTILE}")
    run = stage.gh.start_workflow_run(made.repository, pull=pull, path=PATH, job=HOSTILE, name=HOSTILE)
    body = closing(agent_run("looks", [call("looks-1", model=HOSTILE[:128]), call("looks-2")], agent=HOSTILE[:128]))
    body["tags"]["team"] = HOSTILE
    assert stage.record(run, body).status == 201
    other = stage.gh.start_workflow_run("looks/gadgets", "push")
    assert stage.record(other, closing(agent_run("elsewhere", 1))).status == 201
    stage.gh.merge(made.repository, pull)
    made.settle()
    stage.server.command("summary", f"{datetime.now(UTC):%Y-%m}", "--account", "looks")
    return made


@pytest.fixture(scope="module")
def pull_page(org: Organisation, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return seen(f"{org.stage.gh.url}/{org.repository}/pull/1", tmp_path_factory.mktemp("chromium"))


def test_the_pull_page_shows_comment_check_and_annotation(org: Organisation, pull_page: Seen) -> None:
    check = org.check(1)
    assert check is not None
    (note,) = check["annotations"]
    for text in ("mergemeter[bot]", "at least $0.02", check["conclusion"], check["output"]["title"], note["message"]):
        assert text in pull_page.text
    assert f"{note['start_line']}{WORKFLOW.splitlines()[note['start_line'] - 1]}" in pull_page.text


def test_hostile_names_are_text_on_the_pull_page(pull_page: Seen) -> None:
    assert "img" not in pull_page.tags
    assert "script" not in pull_page.tags
    assert not [name for name in pull_page.attributes if name.startswith("on")]
    assert 'onerror="document.title' in pull_page.text


def test_no_mention_is_made_of_a_hostile_name(org: Organisation) -> None:
    comment = org.comment(1)
    assert comment is not None
    assert "@everyone" not in "".join(comment.split("`")[0::2])


def test_the_months_page_shows_the_chart_and_hostile_names_as_text(org: Organisation, tmp_path: Path) -> None:
    page = seen(f"{org.stage.gh.url}/looks/finance/issues/1", tmp_path)
    assert "svg" in page.tags
    assert "rect" in page.tags
    assert "per merged PR" in page.text
    assert "img" not in page.tags
    assert "script" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]


def test_a_picture_of_the_page_can_be_taken_and_made_small(org: Organisation, tmp_path: Path) -> None:
    target = tmp_path / "page.png"
    address = f"{org.stage.gh.url}/{org.repository}/pull/1"
    browse("--window-size=300,200", f"--screenshot={target}", address, profile=tmp_path / "profile")
    taken = target.read_bytes()
    made = smaller(taken)
    assert made.startswith(SIGNATURE)
    assert made[16:24] == taken[16:24]  # width and height
    assert len(made) < len(taken)


@pytest.mark.parametrize("name", ["comment.png", "summary.png"])
def test_the_readme_shows_a_picture_that_is_small_enough(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = ROOT / "docs" / "images" / name
    assert f"docs/images/{name})" in readme
    assert picture.read_bytes().startswith(SIGNATURE)
    assert picture.stat().st_size < 200_000
