"""A resumed restore may publish while its target shards still look at what they left behind."""

from __future__ import annotations

import threading
from pathlib import Path

from increstore.store.recovery import final_file_stands


def test_final_rows_that_are_published_during_the_look_still_stand(tmp_path: Path):
    """Found by tools/kill_soak.py --seed 2: killed while publishing, resumed, and failed."""
    staged, visible = tmp_path / "staged", tmp_path / "visible"
    file = staged / "part-00000.parquet"
    staged.mkdir()
    file.write_bytes(b"rows")
    done = threading.Event()

    def publish_and_take_back() -> None:
        while not done.is_set():
            staged.replace(visible)
            visible.replace(staged)

    publisher = threading.Thread(target=publish_and_take_back)
    publisher.start()
    try:
        # Only that it never raises: between two looks the folder may come back without its file.
        for _ in range(5_000):
            final_file_stands(file, 4)
    finally:
        done.set()
        publisher.join()
    assert final_file_stands(file, 4)
    staged.replace(visible)
    assert final_file_stands(file, 4)


def test_final_rows_of_another_length_or_gone_from_their_folder_do_not_stand(tmp_path: Path):
    file = tmp_path / "staged" / "part-00000.parquet"
    file.parent.mkdir()
    assert not final_file_stands(file, 4)
    file.write_bytes(b"half")
    assert not final_file_stands(file, 8)
