import json
import os

import pytest

from tfrobust.errors import UserError
from tfrobust.runs import files


def test_text_and_json_replace_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "ä\r\n1")
    files.write_text(path, "ä\n2")
    assert path.read_bytes() == "ä\n2".encode()
    files.write_json(tmp_path / "b.json", {"x": [1, None]})
    assert json.loads((tmp_path / "b.json").read_text()) == {"x": [1, None]}
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.json"]


def test_a_failed_write_leaves_the_former_text(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "new\ud800")
    assert path.read_text() == "old"
    files.recover_folder(tmp_path)
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_replaces_a_folder_or_a_file(tmp_path):
    target = tmp_path / "made" / "on the way" / "x[1]*"
    for content in ("one", "two"):
        with files.write_folder(target) as folder:
            assert not target.exists() or content == "two"
            (folder / "sub").mkdir()
            (folder / "sub" / content).write_text(content)
        assert os.listdir(target / "sub") == [content]
    plain = tmp_path / "plain"
    plain.write_text("a file")
    with files.write_folder(plain):
        pass
    assert plain.is_dir()
    assert os.listdir(target.parent) == [target.name]


def test_an_error_in_the_block_changes_nothing(tmp_path):
    with files.write_folder(tmp_path / "x") as folder:
        (folder / "old").write_text("")
    with pytest.raises(ZeroDivisionError), files.write_folder(tmp_path / "x") as folder:
        (folder / "new").write_text("")
        1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == ["x"] and os.listdir(tmp_path / "x") == ["old"]


OURS = ".{}.0123456789abcdef.tfrobust-{}"


def test_recovery(tmp_path):
    ours = {
        OURS.format(*parts) for parts in (("a", "new"), ("b", "old"), ("c", "old"), ("d", "gone"))
    }
    others = {
        "c",
        ".keep",
        ".new",
        "e.new",
        "a.json",
        ".b.old",
        ".b.tfrobust-old",
        "..0.tfrobust-new",
    }
    for name in ours | others:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / OURS.format("f.txt", "new")).write_text("half")
    files.recover_folder(tmp_path, "a")
    assert not (tmp_path / OURS.format("a", "new")).exists()
    assert (tmp_path / OURS.format("b", "old")).exists()
    files.recover_folder(tmp_path)
    assert set(os.listdir(tmp_path)) == others | {"b"}
    assert (tmp_path / "b" / "file").read_text() == OURS.format("b", "old")
    assert (tmp_path / "c" / "file").read_text() == "c"
    files.recover_folder(tmp_path / "absent")


@pytest.mark.parametrize("name", ["a.json", ".a.json", "a.b", "x.new", ".x.old", ".new", "......"])
def test_files_beside_are_left_alone(tmp_path, name):
    (tmp_path / name).touch()
    for _ in range(2):
        with files.write_folder(tmp_path / "x") as folder:
            (folder / "inside").touch()
        files.write_text(tmp_path / "text", "t")
    files.remove_folder(tmp_path / "x")
    assert sorted(os.listdir(tmp_path)) == sorted([name, "text"])


def test_a_link_that_stands_in_the_way_is_never_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("three years")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".lock").symlink_to(victim)
    with pytest.raises(UserError, match="through a link"), files.lock_folder(folder):
        pass
    # Even a name that was foretold.
    monkeypatch.setattr(files.secrets, "token_hex", lambda length: "0123456789abcdef")
    (folder / OURS.format("a", "new")).symlink_to(victim)
    with pytest.raises(FileExistsError):
        files.write_text(folder / "a", "mine")
    with pytest.raises(FileExistsError), files.write_folder(folder / "a"):
        files._beside(folder / "a", files.UNFINISHED).symlink_to(victim)
        with files.write_folder(folder / "a"):
            pass
    assert victim.read_text() == "three years"


def test_a_lock_appears_between_the_look_and_the_opening(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("three years")
    (tmp_path / ".lock").symlink_to(victim)
    monkeypatch.setattr(files.pathlib.Path, "is_symlink", lambda path: False)
    with pytest.raises(UserError, match="cannot be written"), files.lock_folder(tmp_path):
        pass
    assert victim.read_text() == "three years"


def test_one_process_at_a_time(tmp_path):
    with files.lock_folder(tmp_path):
        with pytest.raises(UserError, match="Another process"), files.lock_folder(tmp_path):
            pass
    with files.lock_folder(tmp_path):
        pass


def test_a_text_keeps_its_permissions_and_its_link(tmp_path):
    real, link = tmp_path / "real.md", tmp_path / "README.md"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    files.write_text(link, "new")
    assert link.is_symlink() and real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640
    files.write_text(tmp_path / "fresh", "")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o666 & ~mask
