"""What the App asks of an account, and why. `manifest.yml` says the same; a test keeps the two together."""

from collections.abc import Mapping

# Names and levels are GitHub's; the reason is shown by `doctor` where the permission is missing.
WANTED: Mapping[str, tuple[str, str]] = {
    "metadata": ("read", "comes with every App: repository names, ids and visibility, and who may write there"),
    "pull_requests": ("write", "to read pulls and their commits, to keep the one comment, and to answer commands"),
    "checks": ("write", "to show the cost as a check run on the pull's head"),
    "issues": ("write", "to keep the monthly summary issue and the statements' issues, and to answer on them"),
    "actions": ("read", "to ask GitHub which commit and branch a workflow run really ran on"),
    "contents": ("read", "to read mergemeter.yml, and the workflow line that an annotation is for"),
    "organization_custom_properties": ("read", "to know which cost center each repository had, and since when"),
}
# Neither the manifest nor `doctor` asks for these; where they are granted all the same, they are used.
ALSO_USED: Mapping[str, str] = {"members": "read"}  # to name the teams that may run what nobody owns
# Without these everything else works; a person's own account cannot grant those of organisations.
OPTIONAL = frozenset({"organization_custom_properties"})
OPTIONAL_EVENTS = frozenset({"custom_property_values"})
# installation and installation_repositories come to every App without being asked for.
WANTED_EVENTS = frozenset({"pull_request", "check_run", "repository", "issue_comment", *OPTIONAL_EVENTS})
_RANK = {"read": 1, "write": 2, "admin": 3}


def missing(granted: Mapping[str, str], optional: bool = False) -> list[str]:
    """One sentence for each permission that is needed, or optional, and not granted, or not at its level."""
    return [
        f"{name}: {level} ({reason})"
        for name, (level, reason) in WANTED.items()
        if (name in OPTIONAL) == optional and _RANK.get(granted.get(name, ""), 0) < _RANK[level]
    ]


def needless(granted: Mapping[str, str]) -> list[str]:
    """Names of granted permissions that nothing here uses, or uses at a lower level."""
    used = {**ALSO_USED, **{name: level for name, (level, _) in WANTED.items()}}
    return [
        f"{name}: {level}" for name, level in granted.items() if _RANK.get(level, 0) > _RANK.get(used.get(name, ""), 0)
    ]
