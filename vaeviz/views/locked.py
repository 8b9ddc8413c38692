"""What a person does is worked on while the document may be changed.

A change of a widget waits 50 ms in Panel (1.9), and an event that follows it meanwhile, such as a click or a key, is
worked on in a coroutine without the document's lock. There Panel can change its own models, but Bokeh refuses a change
of any other, such as a plot's: what the person did is lost.
"""

from panel.io import with_lock
from panel.reactive import Syncable


def work_with_the_lock() -> None:
    """Let Panel work on all that comes from a browser with the document's lock, as it does on most of it anyway."""
    for name in ("_event_coroutine", "_change_coroutine"):
        if hasattr(Syncable, name):  # not of a Panel that does it in another way
            setattr(Syncable, name, with_lock(getattr(Syncable, name)))
