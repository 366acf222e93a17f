"""The workflow files that the demo's repositories hold: the Action first, an agent after it."""

AUTHOR = """\
name: Author
on: [pull_request]
permissions:
  contents: write
  id-token: write
jobs:
  author:
    runs-on: ubuntu-latest
    steps:
      - uses: mergemeter/mergemeter/action@v1
        with:
          server-url: https://mergemeter.example.com
          team: platform
          purpose: author
      - uses: actions/checkout@v5
      - name: Write the change
        uses: anthropics/claude-code-action@v1
        with:
          prompt: Work on the task in the pull's description.
"""
REVIEW = """\
name: Review
on: [pull_request]
permissions:
  contents: read
  id-token: write
jobs:
  review:
    runs-on: ubuntu-latest
    steps:
      - uses: mergemeter/mergemeter/action@v1
        with:
          server-url: https://mergemeter.example.com
          team: platform
          purpose: review
      - uses: actions/checkout@v5
      - name: Review the change
        run: codex exec "Review this pull request."
"""
NIGHTLY = """\
name: Nightly triage
on:
  schedule:
    - cron: "0 3 * * *"
permissions:
  id-token: write
jobs:
  triage:
    runs-on: ubuntu-latest
    steps:
      - uses: mergemeter/mergemeter/action@v1
        with:
          server-url: https://mergemeter.example.com
          purpose: triage
      - run: claude -p "Label the new issues."
"""
ANSWER = """\
name: Answer
on: [issue_comment]
permissions:
  contents: write
  id-token: write
jobs:
  answer:
    runs-on: ubuntu-latest
    steps:
      - uses: mergemeter/mergemeter/action@v1
        with:
          server-url: https://mergemeter.example.com
          team: apps
          purpose: author
      - uses: anthropics/claude-code-action@v1
"""
FILES = {
    "README.md": "# A repository\n",
    ".github/workflows/author.yml": AUTHOR,
    ".github/workflows/review.yml": REVIEW,
    ".github/workflows/nightly.yml": NIGHTLY,
    ".github/workflows/answer.yml": ANSWER,
}
OWNERS = OWNER, _ = "grace", "linus"  # of Platform, of Apps
CONFIG = """\
# What Mergemeter does in this organisation. Every setting: docs/configuration.md
comment: on-merge
annotations: 1
summary:
  repository: finance
cost_centers:
  centers:
    platform:
      label: Platform
      owners: [grace]
      repositories: [widgets, gateway]
      chargeback_from: 2026-01
      account: 6400-10
    apps:
      label: Apps
      owners: [linus]
      repositories: [gadgets]
shared_costs:
  unassigned:
    method: proportional
journal:
  expense_account: 6400
  clearing_account: 1590
close:
  repository: finance
  accept_after_days: 14
"""
