from tests.views.conftest import make_run
from vaeviz.views.runs import MOST_ENDED, find_run, register_run


def test_a_run_is_found_by_its_id_and_by_no_other():
    run = register_run(make_run())
    assert find_run(run.id) is run
    assert find_run("no-such-run") is None


def test_only_the_last_few_resting_runs_are_kept_and_all_that_train():
    training = register_run(make_run(epochs=100_000))
    training.start()
    try:
        resting = [register_run(make_run()) for _ in range(MOST_ENDED + 2)]
        assert find_run(resting[0].id) is None
        assert find_run(resting[-1].id) is resting[-1]
        assert find_run(training.id) is training
    finally:
        training.stop()


def test_ids_are_long_and_random():
    first, second = make_run().id, make_run().id
    assert first != second
    assert len(first) >= 12
