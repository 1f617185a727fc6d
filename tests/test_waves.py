"""Jobs that begin when what they need is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_config import CONF, compose, run_of

from mc.lab import folders, hydra_inside, waves
from mc.lab.waves import SweepJob, Waves


@st.composite
def graphs(draw):
    """Jobs without circles, and which of them fail."""
    count = draw(st.integers(1, 8))
    below = [draw(st.sets(st.integers(0, n - 1))) if n else set() for n in range(count)]
    failing = draw(st.sets(st.integers(0, count - 1)))
    order = draw(st.permutations(range(count)))
    return [SweepJob(n, [f"seed={n}"], f"base/{n}", below[n]) for n in order], failing


@given(graphs(), st.integers(1, 3))
def test_a_job_begins_after_what_it_needs_and_fails_with_it_alone(graph, slots):
    jobs, failing = graph
    all_jobs, at_work, well, failed = Waves(jobs), [], set(), {}
    while all_jobs.waiting or at_work:
        begun = all_jobs.ready(slots - len(at_work))
        assert all(job.needs <= well for job in begun)
        at_work += begun
        assert at_work, "a job waits for ever"
        job = at_work.pop(0)
        if job.number in failing:
            failed[job.number] = job.title
        else:
            well.add(job.number)
        for lost, why in all_jobs.ended(job, job.number in failing):
            assert lost.number not in well | set(failed)
            failed[lost.number] = lost.title
            assert why.partition(" ")[0] in failed.values()
    assert well | set(failed) == {job.number for job in jobs}
    needs = {job.number: job.needs for job in jobs}
    for number in failed:
        assert number in failing or needs[number] & set(failed)
    assert all(not needs[number] & set(failed) for number in well)


@pytest.fixture
def planned(tmp_path):
    def plan(*jobs):
        with hydra_inside.Composer(CONF) as compose:
            words = [[f"output_dir={tmp_path}", "model=mlp", *job.split()] for job in jobs]
            return waves.planned(compose, words, 0)

    return plan


def test_a_job_that_stands_for_several_runs_waits_for_all_below_them(planned):
    *below, own = planned("stage=align align=weights build=true align.networks=[1,2,3]")
    titles = sorted(job.title.partition("-mlp-")[2].rpartition("-")[0] for job in below)
    assert titles == ["1-2-weights", "seed1", "seed2", "seed3"]
    assert own.needs == {job.number for job in below}


def test_what_several_jobs_build_on_is_one_job_for_all(planned):
    made = planned(*(f"stage=eval build=true endpoints=[{e}]" for e in ("1,2", "1,3", "2,3")))
    below, own = made[:-3], made[-3:]
    assert sorted(job.title.partition("/")[0] for job in below) == ["base"] * 3 + ["curve"] * 3
    assert [job.number for job in own] == [0, 1, 2]
    titles = {job.number: job.title for job in made}
    for job in own:
        assert sorted(titles[n].partition("/")[0] for n in job.needs) == ["base", "base", "curve"]
    assert all("build=true" not in job.overrides for job in below)
    bases = [job for job in below if job.title.startswith("base")]
    assert all(not job.needs for job in bases)
    assert {word for job in bases for word in job.overrides if word.startswith("seed=")} == {
        *("seed=1", "seed=2", "seed=3")
    }


def test_epochs_that_several_jobs_want_are_kept_by_one_job(planned):
    made = planned(*(f"stage=chain build=true chain.networks=[1@{e},2]" for e in (4, 6)))
    (both,) = (job for job in made if "seed=1" in job.overrides)
    assert "train.base.save_every=2" in both.overrides


def test_a_job_of_the_sweep_that_others_need_is_no_job_twice(planned):
    made = planned("stage=base seed=1 build=true", "stage=curve build=true", "stage=curve")
    assert [job.number for job in made[1:]] == [0, 1, 2]
    assert "seed=2" in made[0].overrides
    assert made[2].needs == {0, made[0].number}
    assert made[3].needs == set()  # which was not told to build


def test_a_whole_that_is_made_anew_has_each_part_made_once(planned, tmp_path):
    whole = [f"stage=all force=true endpoints=[{ends}]" for ends in ("1,2", "1,3")]
    for run in run_of(compose(f"output_dir={tmp_path}", "model=mlp", "stage=all")).chain()[:-1]:
        folders.begin(run.folder, "", {})
        folders.finish(run.folder, {}, {})
    made = planned(*whole)
    titles = {job.number: job.title.partition("/")[0] for job in made}
    assert sorted(titles.values())[:7] == ["base"] * 3 + ["curve"] * 2 + ["eval"] * 2
    anew = [job.title for job in made if "force=true" in job.overrides]
    assert sum(title.startswith("base") for title in anew) == 2  # the third was not there
    for job in made:
        below = sorted(titles[n] for n in job.needs)
        wanted = {"base": [], "curve": ["base"] * 2, "eval": ["base"] * 2 + ["curve"]}
        whole = ["base"] * 2 + ["curve", "eval"]
        assert below == wanted.get(titles[job.number], whole)


def test_the_jobs_of_later_batches_have_numbers_of_their_own(planned):
    first, second = (planned("stage=curve build=true") for _ in range(2))
    extra = [{job.number for job in jobs[:-1]} for jobs in (first, second)]
    assert not extra[0] & extra[1]
    assert min(extra[0] | extra[1]) > 1000


def test_a_job_whose_run_is_at_work_elsewhere_begins_when_that_has_ended(tmp_path):
    folder = tmp_path / "base/one"
    job = SweepJob(0, [], "base/one", folder=folder)
    jobs = Waves([job, SweepJob(1, [], "other")])
    folders.begin(folder, "", {})
    with folders.lock(folder):
        assert [one.number for one in jobs.ready()] == [1]
    assert jobs.ready() == [job]
    with folders.lock(folder):
        assert folders.is_at_work(folder)
        folders.finish(folder, {}, {})
        assert not folders.is_at_work(folder)


def test_a_mistake_is_left_for_its_job(planned):
    made = planned("stage=eval build=true num_bends=-1", "stage=base build=true")
    assert [(job.number, job.needs) for job in made] == [(0, set()), (1, set())]
