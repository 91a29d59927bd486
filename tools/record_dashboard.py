"""Make the pictures of the dashboard: a simulated run, at a moment, as an SVG.

    .venv/bin/python tools/record_dashboard.py

The same scenario and seed give the same pictures, to the byte.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from increstore.tui.app import WatchApp
from increstore.tui.playback import seam
from increstore.tui.playback.simulated import SimPlayback

ROOT = Path(__file__).resolve().parent.parent
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Picture:
    """What `increstore watch SCENARIO` shows `at_s` seconds after the start, after some keys."""

    name: str
    scenario: str
    at_s: float
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = (100, 30)


PICTURES = (
    Picture("watch-overview", "scenarios/silent_source.toml", 1.7),
    Picture("watch-messages", "scenarios/silent_source.toml", 1.7, ("right", "right", "m")),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=ROOT / "docs")
    folder = parser.parse_args().into.resolve()
    os.chdir(ROOT)  # The dashboard shows the scenario's name as it was given.
    for picture in PICTURES:
        path = folder / f"{picture.name}.svg"
        path.write_text(asyncio.run(take(picture)), encoding="utf-8")
        print(f"{path.name}: {picture.scenario} at {picture.at_s:g} s")
    return 0


async def take(picture: Picture) -> str:
    """The picture as SVG."""
    playback = SimPlayback.of_file(Path(picture.scenario), is_paused=True)
    app = WatchApp(playback, ticks=False)
    async with app.run_test(size=picture.size) as pilot:
        await pilot.pause()
        app.tick()
        at = playback.status.began_ns + round(picture.at_s * SECOND)
        playback.command(seam.Seek(at=at))
        while playback.status.state == "seeking":
            app.tick()
        for key in picture.keys:
            await pilot.press(key)
            await pilot.pause()
        app.repaint()
        await pilot.pause()
        return app.export_screenshot(title=f"increstore watch {picture.scenario}")


if __name__ == "__main__":
    sys.exit(main())
