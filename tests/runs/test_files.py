import json
import os

import pytest

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
    files.recover(tmp_path)
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_replaces_a_folder_or_a_file(tmp_path):
    target = tmp_path / "made" / "on the way" / "x[1]*"
    for content in ("one", "two"):
        with files.whole_folder(target) as folder:
            assert not target.exists() or content == "two"
            (folder / "sub").mkdir()
            (folder / "sub" / content).write_text(content)
        assert os.listdir(target / "sub") == [content]
    plain = tmp_path / "plain"
    plain.write_text("a file")
    with files.whole_folder(plain):
        pass
    assert plain.is_dir()
    assert os.listdir(target.parent) == [target.name]


def test_an_error_in_the_block_changes_nothing(tmp_path):
    with files.whole_folder(tmp_path / "x") as folder:
        (folder / "old").write_text("")
    with pytest.raises(ZeroDivisionError), files.whole_folder(tmp_path / "x") as folder:
        (folder / "new").write_text("")
        1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == ["x"] and os.listdir(tmp_path / "x") == ["old"]


def test_recovery(tmp_path):
    for name in (".a.new", ".b.old", ".c.old", "c", ".d.gone", ".keep", ".new", "e.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / ".f.txt.new").write_text("half")
    files.recover(tmp_path, "a")
    assert not (tmp_path / ".a.new").exists() and (tmp_path / ".b.old").exists()
    files.recover(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".keep", ".new", "b", "c", "e.new"]
    assert (tmp_path / "b" / "file").read_text() == ".b.old"
    assert (tmp_path / "c" / "file").read_text() == "c"
    files.recover(tmp_path / "absent")
