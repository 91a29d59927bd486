"""Everything is said in pyproject.toml; this file adds the compiled build, for who asks for it.

    INCRESTORE_COMPILED=1 pip install .

needs a C compiler, and takes two minutes. Without the variable nothing is compiled, and nothing
else is different. An editable install is never compiled: it would go on running the old code
after every change of the sources.

With INCRESTORE_PROFILE=write as well, gcc has every run of what was built count which ways it
takes; a second build, with INCRESTORE_PROFILE=read, makes these the short ones. `make compiled
PROFILED=1` does all of that.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from setuptools import setup

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "build" / "compiled-sources"
COMPILER = "mypy>=2.4,<3"
"""mypyc comes with mypy. Its versions differ in what they can compile: this is the one tried."""
BUILDS = {"bdist_wheel", "build_ext"}
PROFILES = {
    "": [],
    "write": ["-fprofile-generate"],
    # What has not run has no counts: nothing is wrong with that.
    "read": ["-fprofile-use", "-fprofile-correction", "-Wno-missing-profile", "-Wno-error"],
}


def extensions() -> list[Any]:
    """The modules to compile; mypyc writes C for all of them, as one library."""
    sys.path.insert(0, str(ROOT / "tools"))
    from compiled import write_sources  # type: ignore[import-not-found]
    from mypyc.build import mypycify

    found = [path.relative_to(SOURCES) for path in write_sources(ROOT / "increstore", SOURCES)]
    os.chdir(SOURCES)  # The names of modules are told from paths.
    try:
        made = mypycify(
            ["--config-file=mypy.ini", *map(str, found)],
            opt_level="3",
            debug_level="0",
            multi_file=True,
            target_dir=str(ROOT / "build" / "compiled-c"),
        )
    finally:
        os.chdir(ROOT)
    profile = PROFILES[os.environ.get("INCRESTORE_PROFILE", "")]
    for extension in made:
        # Calls between the modules need not go through the table of what others may replace.
        extension.extra_compile_args += ["-fvisibility=hidden", "-fno-plt", *profile]
        extension.extra_link_args += profile
    return list(made)


if os.environ.get("INCRESTORE_COMPILED", "0") in ("", "0"):
    setup()
elif BUILDS & set(sys.argv):
    setup(ext_modules=extensions(), zip_safe=False)
else:  # pip asks first what a build needs.
    setup(setup_requires=[COMPILER])
