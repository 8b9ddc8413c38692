"""What follows in a page that opens waits for an idle moment of the browser, and not forever."""

import pytest
from bokeh.document import Document

from vaeviz.views import connection
from vaeviz.views.connection import IdleMoments


@pytest.fixture
def document() -> Document:
    return Document()


def answer(document: Document, number: int) -> None:
    """Do what the browser does in an idle moment."""
    (line,) = document.roots
    line.name = f"{number}"


def test_the_browser_is_asked_and_its_answer_goes_on_once(document: Document):
    calls = []
    moments = IdleMoments(document)
    moments.then(lambda: calls.append("first"))
    assert document.roots[0].tags == [1]
    assert calls == []
    answer(document, 1)
    assert calls == ["first"]
    document.session_callbacks[0].callback()  # its patience has an end, too
    assert calls == ["first"]


def test_an_answer_to_what_was_asked_before_is_none(document: Document):
    calls = []
    moments = IdleMoments(document)
    moments.then(lambda: calls.append("first"))
    moments.then(lambda: calls.append("second"))
    answer(document, 1)
    assert calls == []
    answer(document, 2)
    assert calls == ["second"]


def test_a_browser_that_does_not_answer_is_not_waited_for_forever(document: Document):
    calls = []
    IdleMoments(document).then(lambda: calls.append("first"))
    (callback,) = document.session_callbacks
    assert callback.timeout == 1000 * connection.PATIENCE
    callback.callback()
    assert calls == ["first"]
