"""Changes of a page that are sent together, and so in order."""

from contextlib import AbstractContextManager, nullcontext

import panel as pn


def together() -> AbstractContextManager[None]:
    """Return a context whose changes of the page are sent when it ends, in one message and in order.

    What Panel sends waits while another message is being written, and what Bokeh sends does not: a change of a new
    plot's data would overtake the plot itself, and the browser be told of what it does not have.

    Before the page is loaded, each change is sent by itself: Panel takes it that the browser has not asked for the page
    yet, and drops what was held, also when it has.
    """
    return pn.io.hold() if pn.state.loaded else nullcontext()
