"""The order of a restore's start: what others wait for is imported before what takes long."""

from __future__ import annotations

import re
import subprocess
import sys

from chain.builder import a_shop_with_three_incrementals

IMPORTED = re.compile(r"^import time: .*\| +(\S+)$", re.MULTILINE)


def test_files_are_named_before_anything_slow_is_imported(tmp_path):
    """Their checksums are counted meanwhile, and no page is read before all of them are known."""
    shop = a_shop_with_three_incrementals(tmp_path)
    restore = ["-m", "increstore", "restore", shop.path, "--into", tmp_path / "restored"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *restore],
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    names = IMPORTED.findall(done.stderr)
    slow = [number for number, name in enumerate(names) if re.match(r"numpy|pyarrow|trio", name)]
    assert max(names.index("increstore.runtime." + name) for name in ("prepare", "early")) < slow[0]


def test_a_page_can_be_read_before_arrows_kernels_are_imported():
    """They take as long as the rest of Arrow; its tables and files need none of them."""
    modules = "reader", "plan", "validate"
    code = (
        f"import sys; import {', '.join('increstore.chain.' + name for name in modules)}; "
        "print('pyarrow' in sys.modules, 'pyarrow.compute' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "False"]
