"""What is in front while an engine ends: that it does, and which shard makes what durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from increstore.tui.widgets.painting import shown

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from increstore.view.cluster import ClusterView
    from increstore.view.shards import ShardView

NAMED_MAX = 4


class LeavingScreen(ModalScreen[None]):
    """Gone when the engine has ended, or when the person leaves again."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit_watch", "leave at once")]

    def __init__(self, view: ClusterView) -> None:
        super().__init__()
        self._text = leaving_text(view, 0.0)

    def compose(self) -> ComposeResult:
        with Vertical(id="leaving"):
            yield Static(self._text, id="leaving-text", markup=False)

    def tell(self, view: ClusterView, waited_s: float) -> None:
        """Say it as it is now."""
        self._text = leaving_text(view, waited_s)
        for shows_it in self.query("#leaving-text").results(Static):  # None before `compose`.
            shows_it.update(self._text)


def leaving_text(view: ClusterView, waited_s: float) -> str:
    """That it is leaving, for what it waits, and what may be done."""
    works = [work for target in view.targets if (work := _durable_work(target))]
    named = works[:NAMED_MAX]
    if len(works) > NAMED_MAX:
        named.append(f"and {len(works) - NAMED_MAX} other targets")
    told = f"leaving: told to stop {waited_s:.1f} s ago; it waits until"
    return "\n".join(
        shown(line)
        for line in [
            f"{told} this is durable:" if named else f"{told} shards and files are closed",
            *(f"  {line}" for line in named),
            "q or Ctrl-C leaves at once; the same command goes on from what is durable",
        ]
    )


def _durable_work(target: ShardView) -> str:
    """What a target may be writing; nothing when it has no reason to."""
    match target.state:
        case "finalizing":
            return f"{target.name}: its final rows"
        case "sealing":
            return f"{target.name}: the seal of incremental {target.incremental}"
        case "applying":
            return f"{target.name}: batches of incremental {target.incremental}"
        case _:
            return ""
