"""On how many cores each thread computes, whatever the others do; with two, on however many there are."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.views.conftest import make_run
from vaeviz.cores import one_thread, settle_threads
from vaeviz.latent import decode


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def in_a_new_thread(work: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as new:
        return new.submit(work).result()


def test_one_thread_is_for_the_thread_that_asks_for_it():
    with one_thread():
        assert torch.get_num_threads() == 1
        assert in_a_new_thread(settle_threads) == 2
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    assert in_a_new_thread(torch.get_num_threads) == 2


def test_threads_that_begin_and_end_within_one_another_leave_all_to_those_that_follow():
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        a, b = one_thread(), one_thread()
        first.submit(a.__enter__).result()
        second.submit(b.__enter__).result()
        first.submit(a.__exit__, None, None, None).result()
        second.submit(b.__exit__, None, None, None).result()
        assert second.submit(torch.get_num_threads).result() == 2
    assert in_a_new_thread(torch.get_num_threads) == 2


def test_who_was_given_one_keeps_one():
    torch.set_num_threads(1)
    with one_thread():
        assert in_a_new_thread(settle_threads) == 1
    assert in_a_new_thread(torch.get_num_threads) == 1


def test_a_training_that_begins_while_somebody_computes_with_one_has_all():
    run, seen = make_run(epochs=1), set()
    run.model.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    with one_thread():
        run.start()
        run.wait()
    assert (run.status, seen) == ("finished", {2})


def test_a_new_worker_decodes_many_rows_with_all():
    vae, seen = make_run().snapshot().vae, set()
    vae.decoder.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    with one_thread():
        in_a_new_thread(lambda: len(decode(vae, torch.zeros(500, 2).numpy())))
    assert seen == {2}
