"""What changes in the page is sent in order: a new plot before the data that change in it."""

from collections.abc import Iterator

import pytest
from bokeh.document import Document
from panel.io.state import set_curdoc

from tests.views.conftest import make_run
from vaeviz.views import Explorer


@pytest.fixture
def document() -> Iterator[Document]:
    """Return the document that is changed, as within a callback of a server's page."""
    document = Document()
    with set_curdoc(document):
        yield document


@pytest.fixture
def explorer(document: Document) -> Explorer:
    explorer = Explorer(make_run())
    explorer._layout.server_doc(document)
    return explorer


def test_a_selection_brings_its_page_and_what_changes_in_it_together(document: Document, explorer: Explorer):
    holds: list[str | None] = []
    explorer._pages["Reconstructions"].param.watch(lambda _: holds.append(document.callbacks.hold_value), "objects")
    explorer.reconstructions.param.watch(lambda _: holds.append(document.callbacks.hold_value), "shown")
    explorer.state.selection = [0, 3]
    assert holds == ["combine", "combine"]
    assert document.callbacks.hold_value is None


def test_what_a_later_selection_changes_in_it_is_not_sent_one_by_one(document: Document, explorer: Explorer):
    explorer.lower = "Reconstructions"
    (source,) = explorer.reconstructions._tiles._layer.sources
    before, alone = source.data, []
    document.on_change(lambda event: alone.append(getattr(event, "model", None)))
    explorer.state.selection = [1, 2, 4]
    assert source.data is not before
    assert source not in alone
