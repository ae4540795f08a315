"""A folder is written only if it is new, empty or of the kind that is written: what counts as which."""

import json

import pytest

from tfrobust.errors import UserError
from tfrobust.runs import kinds

MARKERS = {
    "run": ("run.json", {"seed": 0, "starts": []}),
    "evaluation": ("evaluation.json", {"fingerprint": {"model": "0"}}),
    "former evaluation": ("report.json", {"tfrobust": {"schema": 1}}),
    "export": ("export.json", {"num_classes": 3, "image_shape": [8, 8, 1]}),
}
KIND = {
    "run": kinds.RUN,
    "evaluation": kinds.EVALUATION,
    "former evaluation": kinds.EVALUATION,
    "export": kinds.EXPORT,
}


@pytest.mark.parametrize("marked", MARKERS)
def test_a_marker_names_its_kind_and_no_other_kind_is_written_there(tmp_path, marked):
    name, content = MARKERS[marked]
    (tmp_path / name).write_text(json.dumps(content))
    assert kinds.find_kind(tmp_path) is KIND[marked]
    for kind in kinds.KINDS:
        if kind is KIND[marked]:
            assert kinds.check_ours(tmp_path, kind)
            with kinds.claim_folder(tmp_path, kind) as there:
                assert there
        else:
            with pytest.raises(UserError, match=f"holds {KIND[marked].name}, and {kind.name}"):
                kinds.check_ours(tmp_path, kind)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"starts": 3}', '{"tfrobust": {}}', "\x00"]
)
@pytest.mark.parametrize("name", ["run.json", "evaluation.json", "report.json", "export.json"])
def test_a_marker_s_name_alone_says_nothing(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    for kind in kinds.KINDS:
        with pytest.raises(UserError, match=f"not empty.*it has {name}"):
            kinds.check_ours(tmp_path, kind)
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.marker)
def test_new_and_empty_folders_are_claimed_and_files_and_links_refused(tmp_path, kind):
    with kinds.claim_folder(tmp_path / "made" / "on the way", kind) as there:
        assert not there
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / ".DS_Store").touch()
    assert not kinds.check_ours(tmp_path / "hidden", kind)
    (tmp_path / "file").write_text("a")
    with pytest.raises(UserError, match="is a file"):
        kinds.check_ours(tmp_path / "file", kind)
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(UserError, match="link to nothing"):
        kinds.check_ours(tmp_path / "link", kind)
    (tmp_path / "run.json").mkdir()
    with pytest.raises(UserError, match="not empty"):
        kinds.check_ours(tmp_path, kind)


def test_what_appears_before_the_lock_is_seen_under_it(tmp_path, monkeypatch):
    locked = kinds.files.lock_folder

    def late(folder):
        (folder / "thesis.tex").write_text("three years")
        return locked(folder)

    monkeypatch.setattr(kinds.files, "lock_folder", late)
    with (
        pytest.raises(UserError, match="thesis.tex"),
        kinds.claim_folder(tmp_path / "x", kinds.RUN),
    ):
        pass
