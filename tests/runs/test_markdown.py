"""Whatever a value holds, it stays text: one line, one cell, one span of code."""

import pytest

from tfrobust.runs.markdown import code, link, plain, sentence, table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (3, "3"),
        ("apgd-ce, 0.5 <= x & y > z [0, 1]", "apgd-ce, 0.5 <= x & y > z [0, 1]"),
        ("resnet_18 _x_", "resnet_18 \\_x\\_"),
        ("a\n# b\r\n\tc\x00", "a # b c "),
        ("# h", "\\# h"),
        ("1. one", "1\\. one"),
        ("12) two", "12\\) two"),
        ("3.", "3\\."),
        ("0.5 s", "0.5 s"),
        ("- item", "\\- item"),
        ("> quote", "\\> quote"),
        ("a | b", "a \\| b"),
        ("<script>x</script><!-- ", "&lt;script>x&lt;/script>&lt;!--"),
        ("&lt;b&#62;", "&amp;lt;b&amp;#62;"),
        ("![x](http://a)", "!\\[x]\\(http://a)"),
        ("*a* `b` \\c", "\\*a\\* \\`b\\` \\\\c"),
    ],
)
def test_plain(value, text):
    assert plain(value) == text


def test_code():
    assert code("PGD(steps=3) < 4") == "`PGD(steps=3) < 4`"
    assert code("a\n\n# b") == "`a # b`"
    for hostile in ("a|b", "a`b``c", "<b>", "![x](y)", ""):
        assert code(hostile) == plain(hostile)


def test_sentences_links_and_tables():
    assert sentence("set `a` to <b>") == "set `a` to &lt;b>"
    assert sentence("odd ` tick") == "odd \\` tick"
    assert link("trades", "gin/trades.gin") == "[trades](gin/trades.gin)"
    assert link("a|", "a b)<c>|.gin") == "a\\|"
    assert table(("a", "b"), [(1, "x")]) == "| a | b |\n| --- | --- |\n| 1 | x |\n"
