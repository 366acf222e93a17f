"""Where logs may lie: homes, folders that agents' own variables name, the workspace, the runner's temporary folder.

Knows no agent: each format says in its `places` which of these it wants. Refuses links that lead out of a place's root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

FOLDERS = 5000


class Place:
    """A folder where logs of a format may be. One that is `inside` a root must not lead out of it.

    Files there count when their name begins with `prefix` and does not end like one of `but`.
    """

    def __init__(
        self, path: str, inside: str = "", prefix: str = "", deep: bool = True, but: tuple[str, ...] = ()
    ) -> None:
        self.path, self.inside, self.prefix, self.deep, self.but = path, inside, prefix, deep, but

    def leads_out(self) -> bool:
        """True when a link in its path leaves its root."""
        if not self.inside:
            return False
        root, real = os.path.realpath(self.inside), os.path.realpath(self.path)
        return real != root and not real.startswith(root.rstrip(os.sep) + os.sep)

    def each(self, *parts: str, but: tuple[str, ...] = ()) -> Iterator[Place]:
        """This folder of every folder in the place, for agents that keep one for each project."""
        for folder in _folders(self.path):
            yield Place(os.path.join(folder, *parts), self.inside, but=but)


class Surroundings:
    """What a job has around it. `variables` are the folders that a variable named, at the job's start and now."""

    def __init__(
        self,
        homes: Sequence[str],
        variables: Mapping[str, Sequence[str]] | None = None,
        temporary: str = "",
        workspace: str = "",
        machine: str = "",
        repository: str = "",
    ) -> None:
        self.homes, self.temporary, self.workspace, self.machine = homes, temporary, workspace, machine
        self._variables = variables or {}
        self.repository = repository  # in which the job runs, as owner/name

    def in_homes(self, *parts: str, prefix: str = "", deep: bool = True) -> Iterator[Place]:
        """This folder of every home."""
        for home in self.homes:
            yield Place(os.path.join(home, *parts), home, prefix, deep)

    def named_by(self, variable: str, *parts: str, prefix: str = "", deep: bool = True) -> Iterator[Place]:
        """The folders that an agent's variable names, or folders in them."""
        for folder in self._variables.get(variable, ()):
            yield Place(os.path.join(folder, *parts), prefix=prefix, deep=deep)

    def files_named_by(self, variable: str) -> Iterator[Place]:
        """The files that an agent's variable names, each as its folder and its name."""
        for path in self._variables.get(variable, ()):
            yield Place(os.path.dirname(path), prefix=os.path.basename(path), deep=False)

    def in_workspace(self, *parts: str, prefix: str = "", deep: bool = True) -> Iterator[Place]:
        """This folder of the workspace."""
        if self.workspace:
            yield Place(os.path.join(self.workspace, *parts), self.workspace, prefix, deep)

    def in_workspace_folders(self, name: str) -> Iterator[Place]:
        """Every folder in the workspace that holds a file of this name: repositories are checked out into them."""
        for folder in _folders(self.workspace):
            if os.path.isfile(os.path.join(folder, name)):
                yield Place(folder, self.workspace, name, deep=False)

    def in_temporary(self, *parts: str, prefix: str = "", deep: bool = True) -> Iterator[Place]:
        """This folder of the runner's temporary folder."""
        if self.temporary:
            yield Place(os.path.join(self.temporary, *parts), prefix=prefix, deep=deep)

    def in_temporary_folders(self, *parts: str) -> Iterator[Place]:
        """This folder of every folder there: actions give an agent a home of its own in them."""
        yield from Place(self.temporary or os.devnull).each(*parts)

    def in_machines_temporary(self, *parts: str, prefix: str = "", deep: bool = True) -> Iterator[Place]:
        """This folder of the machine's temporary folder, where some agents have a fixed place."""
        if self.machine:
            yield Place(os.path.join(self.machine, *parts), self.machine, prefix, deep)


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path or os.devnull) as entries:
            return [e.path for e, _ in zip(entries, range(FOLDERS)) if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
