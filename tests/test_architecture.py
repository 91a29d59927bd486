"""The house rules as tests: what a reviewer would otherwise have to say again and again.

Style and types are the linters' work (`make lint`); here stand the rules that they do not know.
"""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "increstore"
MODULES = sorted(PACKAGE.rglob("*.py"))
CORES = sorted((PACKAGE / "protocol").rglob("*.py"))

MODULE_LINES_MAX = 350
FUNCTION_LINES_MAX = 60

# A core sees a batch as (order, rows, digest, bytes) and time as a number: it needs no more.
CORE_IMPORTS = {
    "__future__", "abc", "bisect", "collections", "collections.abc", "dataclasses", "enum",
    "functools", "heapq", "itertools", "operator", "types", "typing",
}  # fmt: skip

# Written in two halves, so that this file does not break its own rule.
REGISTRY_HOSTS = ["py" + "pi.org", "python" + "hosted.org", "ana" + "conda.org"]
SHIPPED = [".ci", "benchmarks", "docs", "increstore", "scenarios", "tests", "tools"]
SHIPPED_FILES = ["Makefile", "README.md", "constraints.txt", "pyproject.toml", "setup.py"]
TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".json", ".csv", ".svg", ""}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def imported(tree: ast.Module) -> list[tuple[str, int]]:
    """Every module that a file imports, at any depth, with the line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(("." * node.level + (node.module or ""), node.lineno))
    return found


def shipped_texts() -> list[Path]:
    found = [ROOT / name for name in SHIPPED_FILES]
    for folder in SHIPPED:
        found += sorted((ROOT / folder).rglob("*"))
    kept = [path for path in found if path.is_file() and path.suffix in TEXT]
    return [path for path in kept if not {"__pycache__", ".work"} & set(path.parts)]


def test_a_module_fits_in_one_reading():
    long = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in long.items() if lines > MODULE_LINES_MAX} == {}


def test_a_function_fits_on_one_screen():
    functions = [
        (place(path, node.lineno), (node.end_lineno or 0) - node.lineno + 1)
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert functions
    assert [found for found in functions if found[1] > FUNCTION_LINES_MAX] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is(path):
    tree = parsed(path)
    assert not tree.body or ast.get_docstring(tree), "a module opens with what it is and its rules"


def test_the_cores_import_nothing_that_waits_draws_or_stores():
    allowed = ("increstore.errors", "increstore.protocol")
    surplus = [
        f"{place(path, line)}: {name}"
        for path in CORES
        for name, line in imported(parsed(path))
        if name not in CORE_IMPORTS and not name.startswith(allowed)
    ]
    assert surplus == []


def test_imports_inside_the_package_are_absolute():
    relative = [
        place(path, line)
        for path in MODULES
        for name, line in imported(parsed(path))
        if name.startswith(".")
    ]
    assert relative == []


def test_imports_between_the_parts_go_one_way():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_command_line_talks_to_people():
    prints = [
        place(path, node.lineno)
        for path in MODULES
        if PACKAGE / "cli" not in path.parents
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "click.echo"}
    ]
    assert prints == []


def test_a_text_file_is_read_and_written_in_a_named_encoding():
    """Without one it would be what the locale says: another file on another machine."""
    calls = [
        (place(path, node.lineno), ast.unparse(node))
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and ast.unparse(node.func).rpartition(".")[2] in {"write_text", "read_text"}
    ]
    assert [call for call in calls if "encoding" not in call[1]] == []


def test_nothing_shipped_names_a_registry_or_this_machine():
    """Where packages come from is the machine's own business, and paths differ on the next one."""
    places = [str(ROOT) + "/", *REGISTRY_HOSTS]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in shipped_texts()
        for word in places
        if word in path.read_text(encoding="utf-8")
    ]
    assert found == []


def test_every_dependency_is_pinned_and_has_its_reason_in_the_architecture_page():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower()
    reasons = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8").lower()
    wanted = [name.partition(">")[0].lower() for name in project["dependencies"] + extras]
    assert [name for name in wanted if f"\n{name}==" not in pinned] == []
    assert [name for name in wanted if f"`{name}`" not in reasons] == []


def test_the_bounds_on_memory_in_the_architecture_page_are_those_of_the_code():
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| ([\d,]+)( MiB)? \| `([\w.]+):([\w.]+)` \|", page, re.MULTILINE)
    assert len(rows) >= 10
    written = {
        f"{module}:{name}": int(number.replace(",", "")) * (1 << 20 if unit else 1)
        for number, unit, module, name in rows
    }
    assert {place: bound_in_the_code(*place.split(":")) for place in written} == written


def bound_in_the_code(module: str, name: str) -> int:
    """A constant, or the default of a field as `Class.field`."""
    owner, _, field = name.rpartition(".")
    found = importlib.import_module(f"increstore.{module}")
    return getattr(getattr(found, owner)() if owner else found, field)


def test_every_event_of_a_run_is_described():
    drivers = [PACKAGE / "journal.py", *sorted((PACKAGE / "runtime").glob("*.py"))]
    names = {
        node.value
        for path in drivers
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", node.value)
    }
    page = (ROOT / "docs" / "JSON.md").read_text(encoding="utf-8")
    assert len(names) > 20
    assert (
        sorted(name for name in names if f"`{name}`" not in page and f'"{name}"' not in page) == []
    )


def test_the_readme_shows_every_command():
    from increstore.cli.program import group

    commands = group.list_commands(click.Context(group))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert commands
    assert [name for name in commands if f"increstore {name}" not in readme] == []


def test_the_readme_shows_every_exit_code():
    from increstore.errors import ExitCode

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [code for code in ExitCode if f"| {code.value} |" not in readme] == []


def test_help_is_answered_before_anything_heavy_is_imported():
    """Start-up stays under 150 ms only as long as these wait for a command that needs them."""
    heavy = ["trio", "pyarrow", "numpy", "pydantic", "rich", "msgpack", "sqlite3"]
    program = (
        "import sys; from increstore.cli.program import group; "
        "group.main(['--help'], standalone_mode=False); "
        f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["HEAVY []"], done.stdout + done.stderr


def test_ci_runs_the_same_targets_that_people_run():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^step (\w+) ", text, re.MULTILINE) == [
        "lint", "test", "demo", "scenarios", "planted", "twice"
    ]  # fmt: skip
    assert "set -euo pipefail" in text


def test_every_link_between_the_pages_leads_somewhere():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    dead = []
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)", page.read_text(encoding="utf-8")):
            name, _, anchor = target.partition("#")
            there = page.parent / name if name else page
            if "://" not in target and not (there.exists() and leads_into(there, anchor)):
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []


def leads_into(page: Path, anchor: str) -> bool:
    """Whether the page has a heading of that anchor; without one it is the page that is meant."""
    if not anchor:
        return True
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in [re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings]


def folders_described() -> list[tuple[str, list[str]]]:
    """Each row of the table of folders: the folder, and the modules that it names."""
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+/)` \| (.*) \| (.*)\|$", page, re.MULTILINE)
    return [(folder, re.findall(r"`([\w/.]+)`", what + begin)) for folder, what, begin in rows]


def test_the_architecture_page_names_every_folder_and_no_module_that_is_not_there():
    described = folders_described()
    parts = [path.parent for path in PACKAGE.glob("*/__init__.py")]
    assert {path.name for path in parts} <= {Path(folder).name for folder, _ in described}
    assert len([name for _, names in described for name in names]) > 60
    assert [
        folder + name
        for folder, names in described
        for name in names
        if not (ROOT / folder / name).exists() and not (ROOT / folder / f"{name}.py").exists()
    ] == []


def test_the_architecture_page_lists_the_folders_in_the_order_of_their_imports():
    """Down the table is up the layers: what import-linter holds is what the page shows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    rank = {
        part.strip(): -number
        for number, layer in enumerate(layers)
        for part in re.split(r"[|:]", layer)
    }
    shown = [folder.rstrip("/").replace("/", ".") for folder, _ in folders_described()]
    ranks = [rank[module] for module in shown if module in rank]
    assert len(ranks) == len(rank) - 2, "errors and the journal are modules, and no folders"
    assert ranks == sorted(ranks)
