"""Where a process may be started anew: as many ways of starting Python as there are, each asked in a real process."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ASK = """
from neps._worker import anew
from neps._worker.settings import Settings
from neps._budget import Budget
def ask(*, overwrite=False, main_thread=True, **settings):
    with anew.working(Settings(budget=Budget(), **settings), overwrite=overwrite):
        return anew.obstacle(main_thread=main_thread)
"""
TELL = ASK + "print(ask())"


def told(
    *command: str,
    directory: Path,
    text: str | None = None,
    environment: dict[str, str] | None = None,
    inherited: int = 0,
) -> str:
    """The last line that Python says, so started."""
    argv, pass_fds = [sys.executable, *command], [inherited] * bool(inherited)
    done = subprocess.run(
        argv,
        cwd=directory,
        input=text,
        env=environment,
        pass_fds=pass_fds,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()[-1]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "search.py"
    path.write_text(TELL)
    return path


def test_a_script_and_a_module_of_the_users(script: Path) -> None:
    assert told("search.py", "--flag", directory=script.parent) == "None"
    assert told("-X", "dev", str(script), directory=script.parent) == "None"
    assert told("-m", "search", directory=script.parent) == "None"


def test_a_script_in_memory() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder, "search.py").write_text(TELL)
        assert told("search.py", directory=Path(folder)) == "None"


def test_what_a_restarted_process_knows_of_requests_to_stop(tmp_path: Path) -> None:
    """It is no later start, so requests that came before the restart are for it, too."""
    text = """
import os, sys
os.environ["NEPS_STARTED_ANEW"] = sys.argv[1].format(os.getpid())
from neps._worker import anew
print(anew.restarted(), anew.known_stops("run0"), anew.known_stops("run1"))
"""
    (tmp_path / "search.py").write_text(text)
    assert told("search.py", "{}:2:run0:3", directory=tmp_path) == "True 3 None"
    assert told("search.py", "{}:2", directory=tmp_path) == "True None None"
    assert told("search.py", "1:2:run0:3", directory=tmp_path) == "False None None"


def test_none_without_a_file_of_its_own_or_at_a_terminal(script: Path) -> None:
    unnamed = "its command line doesn't name a script or module of yours"
    assert told("-c", TELL, directory=script.parent) == unnamed
    assert told("-", directory=script.parent, text=TELL) == unnamed
    assert told("-i", "search.py", directory=script.parent, text="") == "it is interactive"
    assert told("/dev/stdin", directory=script.parent, text=TELL) == unnamed
    with script.open() as file:
        assert told(f"/dev/fd/{file.fileno()}", directory=script.parent, inherited=file.fileno()) == unnamed


def test_none_that_is_installed(script: Path) -> None:
    """pytest, Jupyter and the like would not go on as the user's function does that they happen to call."""
    packages = script.parent / "site-packages"
    packages.mkdir()
    script.rename(packages / "search.py")
    assert "doesn't name" in told("site-packages/search.py", directory=script.parent)


def test_none_whose_name_means_something_else_by_now(script: Path) -> None:
    script.write_text(f"import os; os.mkdir('below'); os.chdir('below')\n{TELL}")
    assert "doesn't name" in told("search.py", directory=script.parent)
    script.write_text(f"import os; os.chdir('below')\n{TELL}")
    assert "doesn't name" in told("-m", "search", directory=script.parent)


def test_one_that_has_gone_elsewhere_since_if_there_is_a_way_back(script: Path) -> None:
    script.write_text(ASK + "import os; os.makedirs('below', exist_ok=True); os.chdir('below')\nprint(ask())")
    assert told("search.py", directory=script.parent) == "None"
    assert told("-m", "search", directory=script.parent) == "None"
    begin = script.parent / "begin"
    begin.mkdir()
    script.write_text(ASK + f"import os; os.chdir('..'); os.rename({str(begin)!r}, 'moved')\nprint(ask())")
    assert told(str(script), directory=begin) == "the working directory in which it began is gone"


@pytest.mark.parametrize(
    ("done", "words"),
    [
        ("os.dup2(os.open('search.py', os.O_RDONLY), 0)", "its standard input, output or error was redirected"),
        ("sys.executable = '/no/such/python'", "its Python interpreter can't be executed"),
    ],
)
def test_none_that_would_not_find_what_it_found(script: Path, done: str, words: str) -> None:
    script.write_text(f"{ASK}import os, sys\n{done}\nprint(ask())")
    assert told("search.py", directory=script.parent) == words


def run_to_its_end(script: Path, program: str) -> subprocess.CompletedProcess[str]:
    script.write_text(ASK + program)
    argv = [sys.executable, "search.py"]
    return subprocess.run(argv, cwd=script.parent, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("came", ["before", "while children end", "while nobody looks"])
def test_a_signal_ends_the_process_instead(script: Path, came: str) -> None:
    """`None` appears once: there is no second start."""
    where = {"before": "kill()", "while children end": "anew._flush = kill", "while nobody looks": "os.execve = kill"}
    done = run_to_its_end(
        script,
        "import os, signal, sys, threading, time\nfrom neps._evaluation import Signals\n"
        "def kill(*_): os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.1)\n"
        "def start(): anew.start(signals.give_back)\n"
        "with Signals() as signals:\n"
        f"    print(ask(), flush=True); {where[came]}\n"
        "    thread = threading.Thread(target=start); thread.start(); thread.join()",
    )
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert done.stdout.splitlines() == ["None"]


def test_where_the_kernel_refuses_the_process_ends_and_says_so(script: Path) -> None:
    done = run_to_its_end(
        script,
        "import os\ndef refuse(*_): raise OSError(7, 'Argument list too long')\nos.execve = refuse; anew.start()",
    )
    assert done.returncode == -signal.SIGKILL
    assert "This process can't be restarted, so it ends: OSError(7, 'Argument list too long')" in done.stderr


@pytest.mark.parametrize("fork", ["import os; os.fork() and (os.wait(), os._exit(0))\n", ""])
def test_no_forked_one(script: Path, fork: str) -> None:
    """Be it forked before neps is imported, or after."""
    after = "" if fork else "import os, sys; os.fork() and (os.wait(), os._exit(0))\n"
    script.write_text(f"{fork}{ASK}{after}print(ask(), flush=True)")
    assert told("search.py", directory=script.parent) == "it was forked by another one"


def test_no_child_of_multiprocessing(script: Path) -> None:
    script.write_text(
        ASK
        + "import multiprocessing\ndef tell(): print(ask(), flush=True)\n"
        + "if __name__ == '__main__':\n    child = multiprocessing.get_context('spawn').Process(target=tell)\n"
        + "    child.start(); child.join()"
    )
    assert told("search.py", directory=script.parent) == "it was forked by another one"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("main_thread=False", "in a thread"),
        ("max_evaluations_per_run=3", "would count from zero"),
        ("max_seconds_per_run=3.0", "would count from zero"),
        ("overwrite=True", "set NEPS_RUN_TOKEN"),
    ],
)
def test_none_that_would_do_something_else(script: Path, asked: str, words: str) -> None:
    script.write_text(f"{ASK}print(ask({asked}))")
    assert words in told("search.py", directory=script.parent, environment={})


def test_one_of_a_launch_that_overwrites_once(script: Path) -> None:
    script.write_text(f"{ASK}print(ask(overwrite=True))")
    assert told("search.py", directory=script.parent, environment={"NEPS_RUN_TOKEN": "one"}) == "None"


def test_none_beside_another_worker_of_the_process(script: Path) -> None:
    script.write_text(f"{ASK}with anew.working(Settings(budget=Budget()), overwrite=False):\n    print(ask())")
    assert "more than once at a time" in told("search.py", directory=script.parent)


def test_not_for_ever_without_coming_to_an_end(script: Path) -> None:
    """Each start is a new process by all but its pid, so its children don't inherit the count."""
    script.write_text(
        f"{ASK}import os, subprocess, sys\nfound = ask()\nprint(found)\n"
        "if 'child' in sys.argv: sys.exit()\n"
        "if found is None: sys.stdout.flush(); anew.start()\n"
        "subprocess.run([sys.executable, 'search.py', 'child'], check=True)\n"
        "anew.evaluated(); print('then', ask())"
    )
    argv = [sys.executable, "search.py"]
    done = subprocess.run(argv, cwd=script.parent, capture_output=True, text=True, check=False, timeout=60)
    lines = done.stdout.splitlines()
    assert lines[:3] == ["None"] * 3
    assert "3 times without" in lines[3] or "3 times without" in lines[4]
    assert lines[-1] == "then None"
    assert lines.count("None") == 3 + ("then None" in lines)
