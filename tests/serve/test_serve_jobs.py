"""The queue and its folders: turns, positions, tokens, restarts, expiry."""

import asyncio
import errno
import json

import pytest

from voiceconv.serve.jobs import GONE, STATE, UPLOAD, FullError, Job, Jobs, hashed

CHOICE = {"model": "tiny", "target": "high"}


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def make(tmp_path, now):
    return lambda most=100: Jobs(tmp_path, most, keep=60, clock=lambda: now[0])


async def put(jobs: Jobs, client: str = "", **more) -> tuple[Job, str]:
    job, token = jobs.draft(client, **CHOICE, **more)
    (jobs.place(job) / UPLOAD).write_bytes(b"sound")
    await jobs.add(job)
    return job, token


def test_clients_take_turns_and_positions_say_so(make):
    async def check():
        jobs = make()
        order = [(await put(jobs, client))[0] for client in "AAAABBC"]
        positions = [jobs.position(job) for job in order]
        assert positions == [1, 4, 6, 7, 2, 5, 3]
        taken = [await jobs.next() for _ in order]
        assert "".join(job.client for job in taken) == "ABCABAA"
        assert [taken.index(job) + 1 for job in order] == positions
        assert [jobs.position(job) for job in order] == [None] * 7

    asyncio.run(check())


def test_a_full_queue_takes_no_more_until_a_job_has_ended(make, tmp_path):
    async def check():
        jobs = make(most=2)
        first, _ = await put(jobs)
        await put(jobs)
        with pytest.raises(FullError):
            jobs.draft("", **CHOICE)
        assert jobs.n_open == 2
        await jobs.end(await jobs.next())
        assert first.state == "done"
        await put(jobs)

    asyncio.run(check())


def test_tokens_are_stored_hashed_and_each_opens_its_own_job(make):
    async def check():
        jobs = make()
        (one, token), (other, others) = await put(jobs), await put(jobs)
        assert jobs.find(one.id, token) is one
        assert jobs.find(other.id, others) is other
        assert jobs.find(one.id, others) is None
        assert jobs.find(one.id, hashed(token)) is None
        assert jobs.find("../" + one.id, token) is None
        text = (jobs.place(one) / STATE).read_text()
        assert token not in text and hashed(token) in text

    asyncio.run(check())


def test_a_restart_keeps_the_order_and_runs_again_what_ran(make, now):
    async def check():
        jobs, put_in = make(), []
        for client in "AAB":
            now[0] += 1
            put_in.append((await put(jobs, client))[0])
        running = await jobs.next()
        await jobs.note(running)
        waiting, _ = await put(jobs, "C", waiting=True)
        unfinished, _ = jobs.draft("D", **CHOICE)
        again = make()
        assert [(await again.next()).id for _ in put_in] == [job.id for job in put_in]
        assert again.n_open == 3
        names = {path.name for path in again.folder.iterdir()}
        assert not names & {waiting.id, unfinished.id}

    asyncio.run(check())


def test_a_job_that_ended_the_server_twice_is_reported_failed(make):
    async def check():
        (job, token) = await put(make())
        for attempt in (1, 2):
            jobs = make()
            taken = await jobs.next()
            assert (taken.id, taken.attempts) == (job.id, attempt)
            await jobs.note(taken)
        found = make().find(job.id, token)
        assert (found.state, found.error) == ("failed", GONE)
        assert found.ended.is_set()

    asyncio.run(check())


def test_finished_jobs_expire_with_their_files_and_waiting_ones_never(make, now):
    async def check():
        jobs = make()
        await put(jobs)
        done = await jobs.next()
        (jobs.place(done) / "result.wav").write_bytes(b"wave")
        await jobs.end(done)
        await put(jobs)
        assert jobs.expires(done) == 1060
        now[0] = 1059.9
        jobs.expire()
        assert jobs.place(done).exists()
        now[0] = 1e9
        jobs.expire()
        assert not jobs.place(done).exists()
        assert jobs.n_open == 1
        assert len(list(jobs.folder.iterdir())) == 1

    asyncio.run(check())


def test_the_upload_goes_when_the_job_has_ended(make):
    async def check():
        jobs = make()
        await put(jobs)
        job = await jobs.next()
        await jobs.end(job, "no sound", "client")
        assert [path.name for path in jobs.place(job).iterdir()] == [STATE]
        kept = json.loads((jobs.place(job) / STATE).read_text())
        assert (kept["state"], kept["error"]) == ("failed", "no sound")
        assert "client" not in kept

    asyncio.run(check())


def test_a_damaged_note_is_no_job(make):
    async def check():
        jobs = make()
        job, _ = await put(jobs)
        (jobs.place(job) / STATE).write_text('{"id": 1')
        again = make()
        assert again.n_open == 0
        assert list(again.folder.iterdir()) == []

    asyncio.run(check())


def test_a_full_disk_refuses_new_jobs_and_ends_the_others(make, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    async def check():
        jobs = make()
        job, _ = await put(jobs)
        monkeypatch.setattr("voiceconv.serve.jobs.replace_text", full)
        with pytest.raises(OSError, match="No space left"):
            await put(jobs)
        assert jobs.n_open == 1
        await jobs.end(await jobs.next())
        assert job.state == "done" and job.ended.is_set()

    asyncio.run(check())
