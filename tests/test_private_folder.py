import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from vaeviz.private_folder import PrivateFolder

ROOT = Path(__file__).parents[1]

HOLDER = """
import signal, sys, tempfile
from vaeviz.private_folder import PrivateFolder
tempfile.tempdir = sys.argv[1]
folder = PrivateFolder("upload")
(folder.path / "half a file").write_bytes(bytes(1000))
print(folder.path, flush=True)
if len(sys.argv) > 2:
    sys.exit(0)
signal.pause()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, in which nothing is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def holder(place: Path, *words: str) -> tuple[subprocess.Popen[str], Path]:
    """Start another process that holds a folder; return it, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place), *words], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def ended(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    process.stdout.close()
    return process.wait()


def test_is_removed_with_all_that_is_in_it() -> None:
    folder = PrivateFolder("film")
    (folder.path / "inside").mkdir()
    (folder.path / "inside" / "file").write_text("words")
    folder.close()
    folder.close()
    with PrivateFolder("film") as path:
        (path / "file").write_text("words")
    let_go = PrivateFolder("film").path
    assert not any(each.exists() for each in (folder.path, path, let_go))


def test_only_its_user_may_enter() -> None:
    with PrivateFolder("upload") as path:
        assert path.parent.stat().st_mode & 0o077 == 0
        assert list(path.iterdir()) == []


def test_lives_on_beside_others_of_this_process_and_of_another(place: Path) -> None:
    process, theirs = holder(place)
    with PrivateFolder("timeline") as ours, PrivateFolder("timeline"):
        assert ours.is_dir()
        assert (theirs / "half a file").stat().st_size == 1000
    process.kill()
    ended(process)
    PrivateFolder("timeline").close()


def test_is_removed_by_the_next_one_if_its_process_was_killed(place: Path) -> None:
    process, left = holder(place)
    process.kill()
    assert ended(process) == -signal.SIGKILL
    assert (left / "half a file").exists()
    with PrivateFolder("upload"):
        assert not left.parent.exists()


def test_is_removed_when_its_process_ends(place: Path) -> None:
    process, left = holder(place, "end")
    assert ended(process) == 0
    assert not left.parent.exists()


def test_touches_nothing_that_is_not_left_by_one(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "held").touch()
    (elsewhere / "work").touch()
    (place / "vaeviz-link").symlink_to(elsewhere)
    (place / "vaeviz-notes").write_text("a file")
    (place / "vaeviz-work").mkdir()
    (place / "vaeviz-locked").mkdir()
    (place / "vaeviz-locked" / "held").symlink_to(elsewhere / "held")
    PrivateFolder("upload").close()
    assert sorted(each.name for each in elsewhere.iterdir()) == ["held", "work"]
    left = sorted(each.name for each in place.iterdir())
    assert left == ["vaeviz-link", "vaeviz-locked", "vaeviz-notes", "vaeviz-work"]
    (place / "vaeviz-locked" / "held").unlink()
    for name in left:
        each = place / name
        if each.is_symlink() or each.is_file():
            each.unlink()
        else:
            each.rmdir()


def test_leaves_nothing_if_it_can_t_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    before = psutil.Process().num_fds()
    with pytest.raises(OSError, match="No space left"):
        PrivateFolder("upload")
    assert psutil.Process().num_fds() == before
