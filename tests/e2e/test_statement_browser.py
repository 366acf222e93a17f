"""A statement in a real browser: the page asks for nothing and runs nothing, prints, and its charts are Mermaid."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.core.report.statement.markdown import issue
from app.core.report.statement.month_page import MonthPage
from app.core.report.statement.month_page import html as month_html
from app.core.report.statement.month_page import issue as month_issue
from app.core.report.statement.page import page
from app.core.report.statement.parts import paper_cents
from scripts.sample_statement import html, sample
from scripts.smaller_png import SIGNATURE
from tests import optional
from tests.core import paper_samples as samples
from tests.core.test_statement_issue import charts
from tests.core.test_statement_month import month
from tests.core.written import Written, off_by
from tests.e2e.test_pages import Seen, browse

pytestmark = pytest.mark.optional("chromium")
MARK = "<!-- m -->"
HOSTILE = (
    "</td></style></svg><img src=/leak onerror=\"document.title='gone'\"><script>document.title='gone'</script>"
    "<link rel=stylesheet href=/leak><svg onload=\"document.title='gone'\"><style>@import '/leak';</style>"
)
PAGES = {
    "statement": page(samples.paper()),
    "tiny": page(samples.paper(samples.tiny())),
    "hostile": page(samples.paper(samples.hostile_statement(HOSTILE))),
    "long": page(samples.paper(samples.long(2_000))),
    "month": month_html(month()),
}


@contextmanager
def served(text: str) -> Iterator[tuple[str, list[str]]]:
    """The page's address on loopback, and every path that is asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = text.encode() if self.path == "/page" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the paths are kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/page", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_asks_for_nothing_else_and_nothing_in_it_runs(name: str, tmp_path: Path) -> None:
    log = tmp_path / "chromium.log"
    with served(PAGES[name]) as (address, asked):
        logged = ("--enable-logging", f"--log-file={log}", "--dump-dom", address)
        seen = Seen(browse(*logged, profile=tmp_path / "profile"))
    assert set(asked) <= {"/page", "/favicon.ico"}
    assert not {"img", "script", "link"} & set(seen.tags)
    assert not [each for each in seen.attributes if each.startswith("on")]
    assert "gone" not in re.findall(r"<title>(.*?)</title>", PAGES[name])
    console = log.read_text(errors="replace") if log.exists() else ""
    assert "CONSOLE" not in console, console


@pytest.mark.parametrize(("name", "pages"), [("statement", 3), ("tiny", 2), ("long", 40), ("month", 1)])
def test_the_page_prints(name: str, pages: int, tmp_path: Path) -> None:
    target = tmp_path / "statement.pdf"
    source = tmp_path / "statement.html"
    source.write_text(PAGES[name], encoding="utf-8")
    printing = ("--no-pdf-header-footer", f"--print-to-pdf={target}", source.as_uri())
    browse(*printing, profile=tmp_path / "profile")
    printed = target.read_bytes()
    assert printed.startswith(b"%PDF-")
    count = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert count == pages if pages < 10 else count >= pages


def test_the_document_shows_a_picture_that_is_small_enough() -> None:
    root = Path(__file__).parents[2]
    assert "images/statement.png)" in (root / "docs" / "chargeback.md").read_text(encoding="utf-8")
    picture = root / "docs" / "images" / "statement.png"
    assert picture.read_bytes().startswith(SIGNATURE)
    assert picture.stat().st_size < 200_000


def test_the_pictures_statement_adds_up() -> None:
    of = sample()
    assert paper_cents(of) == of.total_cents
    assert set(off_by(Written(html()).tables)) == {0}


DRAWING = """<!doctype html><meta charset="utf-8"><body></body><script src="{script}"></script><script>
const sources = {sources}, found = [];
mermaid.initialize({{startOnLoad: false, securityLevel: "strict"}});
(async () => {{
  for (const [at, source] of sources.entries()) {{
    try {{
      await mermaid.parse(source);
      const drawn = new DOMParser().parseFromString((await mermaid.render("c" + at, source)).svg, "text/html");
      const texts = [...drawn.querySelectorAll("text")].map(each => each.textContent);
      found.push({{
        bars: drawn.querySelectorAll("g.plot rect").length, lines: drawn.querySelectorAll("g.plot path").length, texts
      }});
    }} catch (error) {{ found.push({{error: String(error)}}); }}
  }}
  document.body.textContent = JSON.stringify(found);
}})();
</script>"""


@pytest.mark.optional("Mermaid")
def test_mermaid_draws_every_chart_that_is_written(tmp_path: Path) -> None:
    papers = (
        samples.paper(), samples.paper(samples.hostile_statement('"]\n bar [1] %%{init}%% end ; ```')),
        samples.paper(samples.long(300)), samples.paper(samples.crowded()), samples.paper(samples.covered()),
    )  # fmt: skip
    sources = [source for each in papers for source in charts(issue(each, MARK))]
    sources += charts(month_issue(month(), MARK)) + charts(month_issue(MonthPage("acme", samples.OCTOBER, ()), MARK))
    script = (optional.NPM / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js").as_uri()
    source = tmp_path / "charts.html"
    source.write_text(DRAWING.format(script=script, sources=json.dumps(sources)), encoding="utf-8")
    text = Seen(browse("--virtual-time-budget=20000", "--dump-dom", source.as_uri(), profile=tmp_path / "p")).text
    drawn = json.loads(text.strip())
    assert len(drawn) == len(sources) > 8
    for chart, of in zip(drawn, sources, strict=True):
        assert "error" not in chart, (chart, of)
        heights = re.search(r"^    bar \[(.*)\]$", of, re.MULTILINE)
        title = re.search(r'^    title "(.*)"$', of, re.MULTILINE)
        assert heights is not None
        assert title is not None
        assert chart["bars"] == len(heights[1].split(","))
        assert chart["lines"] == of.count("\n    line [")
        assert title[1] in chart["texts"]
