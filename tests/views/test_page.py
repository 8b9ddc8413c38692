"""What is done once for all pages."""

import gc
from collections.abc import Iterator

import pytest
from bokeh.document import Document
from panel.io.state import set_curdoc

from tests.views.conftest import make_run
from vaeviz.views import page
from vaeviz.views.page import freeze_what_is_imported, run_page


@pytest.fixture(autouse=True)
def _nothing_is_frozen() -> Iterator[None]:
    assert gc.get_freeze_count() == 0
    yield
    gc.unfreeze()


def test_what_is_imported_is_looked_through_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page, "_begun", [])
    freeze_what_is_imported()
    assert gc.get_freeze_count() > 100_000


def test_once_a_page_has_begun_nothing_is_frozen_for_that_page_would_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page, "_begun", [])
    with set_curdoc(Document()):
        run_page(make_run())
    freeze_what_is_imported()
    assert gc.get_freeze_count() == 0
