"""Whether the backups of a chain follow one another: by id and parent, not by name alone.

A folder can be lost, copied, renamed or come from elsewhere; ids tell, names only order. A backup
whose manifest cannot be read is reported as that, and nothing is concluded from its absence.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from increstore.chain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.chain.collection import Backup, BackupChain
    from increstore.chain.manifest import Manifest


def lineage_problems(chain: BackupChain) -> list[Problem]:
    """Every problem of the chain's backups as a sequence, in chain order."""
    lineage = _Lineage(chain)
    return [problem for position in range(len(chain.backups)) for problem in lineage.at(position)]


class _Lineage:
    def __init__(self, chain: BackupChain) -> None:
        self._chain = chain
        self._backups = chain.backups
        self._full = chain.backups[0].manifest
        everywhere = [b for b in chain.collection.backups if b.manifest is not None]
        self._by_id: dict[str, list[Backup]] = {}
        for backup in everywhere:
            assert backup.manifest is not None
            self._by_id.setdefault(backup.manifest.id, []).append(backup)
        self._children = Counter(
            backup.manifest.parent for backup in self._backups if backup.manifest is not None
        )

    def at(self, position: int) -> Iterator[Problem]:
        backup = self._backups[position]
        if backup.manifest is None:
            for text in backup.problems:
                where, _, what = text.partition(": ")
                yield Problem("unreadable manifest", where, what)
            return
        manifest, where = backup.manifest, str(backup.path)
        if self._is_copy(backup):
            first = self._original(manifest)
            yield Problem(
                "duplicated",
                where,
                f"is the same backup as {first.name} (id {manifest.id}), copied; remove one of "
                "the two folders",
            )
            return
        yield from self._label_problems(backup, manifest, where)
        if position:
            yield from self._parent_problems(position, manifest, where)

    def _original(self, manifest: Manifest) -> Backup:
        same = self._by_id[manifest.id]
        return next((backup for backup in same if backup.name == manifest.name), same[0])

    def _is_copy(self, backup: Backup) -> bool:
        assert backup.manifest is not None
        return self._original(backup.manifest) is not backup

    def _label_problems(self, backup: Backup, manifest: Manifest, where: str) -> Iterator[Problem]:
        if manifest.name != backup.name:
            yield Problem(
                "renamed",
                where,
                f"the folder was renamed: its manifest says {manifest.name}; rename it back",
            )
        if manifest.kind != backup.kind:
            yield Problem(
                "wrong kind",
                where,
                f"the manifest says {manifest.kind} (expected {backup.kind} by the folder's name); "
                "copy the backup again from its origin",
            )
        if self._full is not None and manifest.collection != self._full.collection:
            yield Problem(
                "foreign",
                where,
                f"belongs to collection {manifest.collection} (expected "
                f"{self._full.collection}, that of {self._backups[0].name}); move it away",
            )

    def _parent_problems(self, position: int, manifest: Manifest, where: str) -> Iterator[Problem]:
        earlier = (b for b in reversed(self._backups[:position]) if not self._skipped(b))
        before = next(earlier, self._backups[0])
        if before.manifest is None or manifest.parent == before.manifest.id:
            return
        found = self._by_id.get(manifest.parent or "", [])
        if not found:
            yield Problem(
                "missing",
                where,
                f"the backup it follows (id {manifest.parent}) is missing: it must lie between "
                f"{before.name} and this one; bring it back from its origin, or restore only up "
                f"to {before.name} (--upto)",
            )
        elif self._children[manifest.parent] > 1:
            yield Problem(
                "forked",
                where,
                f"follows {found[0].name}, which another incremental follows too (expected one "
                f"line, this one after {before.name}); move away the branch you do not want",
            )
        else:
            yield Problem(
                "reordered",
                where,
                f"follows {found[0].name}, but stands after {before.name}; names and lineage "
                "must agree: give the folders the names in their manifests, or move away what "
                "does not belong to this chain",
            )

    def _skipped(self, backup: Backup) -> bool:
        """A copied folder is reported once; what follows is judged as if it were not there."""
        return backup.manifest is not None and self._is_copy(backup)
