import pytest

from vaeviz.environment import whole_number


def test_what_a_variable_tells_is_taken_and_else_the_other(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VAEVIZ_ANY", raising=False)
    assert whole_number("VAEVIZ_ANY", 4) == 4
    for told, number in ((" 12 ", 12), ("", 4), ("  ", 4), ("1", 1)):
        monkeypatch.setenv("VAEVIZ_ANY", told)
        assert whole_number("VAEVIZ_ANY", 4) == number
    monkeypatch.setenv("VAEVIZ_ANY", "0")
    assert whole_number("VAEVIZ_ANY", 4, least=0) == 0


@pytest.mark.parametrize("told", ["0", "-1", "1.5", "8 GB", "١", "1_000", "9" * 5000, "true"])
def test_what_is_no_such_number_is_told_with_the_variable_and_what_is_allowed(
    told: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VAEVIZ_ANY", told)
    with pytest.raises(ValueError, match=r"^VAEVIZ_ANY='.{1,40}': must be a whole number of at least 1$"):
        whole_number("VAEVIZ_ANY", 4)
