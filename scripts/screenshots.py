"""Makes the documents' pictures: plays the demo's story and photographs its pages with headless Chromium.

    .venv/bin/python scripts/screenshots.py

Writes docs/images/comment.png (a merged pull's comment and check), docs/images/summary.png (the month)
and docs/images/statement.png (the first page of a made-up statement).
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.demo.play import play  # noqa: E402 - run as a script, from any folder
from app.demo.stage import FINANCE, WIDGETS, Play  # noqa: E402
from scripts.sample_statement import html  # noqa: E402
from scripts.smaller_png import smaller  # noqa: E402

IMAGES = ROOT / "docs" / "images"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
# The pages change nothing themselves: a picture shows the state after loading.
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-lcd-text", "--hide-scrollbars", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--virtual-time-budget=2000",
)  # fmt: skip
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Picture:
    """A page and how much of it is shown, in CSS pixels."""

    name: str
    path: str
    width: int
    height: int


PICTURES = (
    Picture("comment.png", f"/{WIDGETS}/pull/{{limits}}", 820, 1670),
    Picture("summary.png", f"/{FINANCE}/issues/1", 1032, 1370),
)
STATEMENT = Picture("statement.png", "", 900, 1130)


def browser() -> str:
    """The path of a Chromium; exits where there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        sys.exit("no Chromium found (Debian: apt-get install chromium)")
    return found


def photograph(program: str, address: str, target: Path, width: int, height: int) -> None:
    """Write a PNG of the page; raises when the browser fails."""
    with tempfile.TemporaryDirectory() as profile:
        argv = [program, *OPTIONS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        argv += [f"--screenshot={target}", address]
        subprocess.run(argv, check=True, capture_output=True, timeout=TIMEOUT_S)  # noqa: S603 - the one found above
    target.write_bytes(smaller(target.read_bytes()))


def main() -> None:
    """Play the story and take every picture."""
    program = browser()
    IMAGES.mkdir(parents=True, exist_ok=True)

    def take(picture: Picture, address: str) -> None:
        target = IMAGES / picture.name
        photograph(program, address, target, picture.width, picture.height)
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1000} kB")  # noqa: T201

    def after(stage: Play) -> None:
        for picture in PICTURES:
            take(picture, stage.gh.url + picture.path.format(**stage.pulls))

    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "statement.html"
        page.write_text(html(), encoding="utf-8")
        take(STATEMENT, page.as_uri())

    play(lambda line: print(line, flush=True), after)  # noqa: T201


if __name__ == "__main__":
    main()
