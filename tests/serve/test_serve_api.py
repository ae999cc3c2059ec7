"""The API over a real socket: conversions, jobs, dying programs, cancelling, expiry."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from served import served, wait
from tiny_model import make_cli

from voiceconv.cli.serve import BYTES, SECONDS, _measured
from voiceconv.errors import InputError
from voiceconv.serve import jobs as serve_jobs


@pytest.fixture(scope="module")
def now():
    return [0.0]


@pytest.fixture(scope="module")
def server(tmp_path_factory, now):
    folder = tmp_path_factory.mktemp("served")
    clock = lambda: time.time() + now[0]  # noqa: E731
    with served(folder, clock, n_workers=1, most_jobs=20, most_bytes=1000) as one:
        yield one


def test_models_are_those_of_the_program(server):
    reply = server.call("GET", "/api/models")
    assert reply.status == 200
    assert (reply.json["default"], reply.json["live"]) == ("tiny", "tiny")
    assert [one["name"] for one in reply.json["models"]] == ["tiny", "other"]
    assert reply.json["models"][0]["look_aheads"] == [0, 20, 60]


def test_one_request_converts_and_leaves_nothing(server):
    before = server.folders
    reply = server.call("POST", "/api/convert?target=high", "ok")
    assert (reply.status, reply.headers["content-type"]) == (200, "audio/wav")
    assert reply.body[:4] == b"RIFF" and len(reply.body) == 44 + 4800
    wait(lambda: server.folders == before)


def test_a_job_says_what_is_unlike_speech(server):
    told = {"percentile": 100.0, "is_out_of_domain": True, "reason": "x"}
    assert server.ended(server.start("unlike"))["likeness"] == told
    assert server.ended(server.start("ok"))["likeness"] is None


def test_a_job_from_its_upload_to_its_files(server):
    job = server.start("ok")
    state = server.ended(job)
    assert (state["state"], state["progress"], state["duration"]) == ("done", 1.0, 0.1)
    assert (state["position"], state["error"]) == (None, None)
    assert state["expires"] == pytest.approx(time.time() + 3600, abs=60)
    for name in ("source.wav", "result.wav"):
        reply = server.call("GET", f"{job[0]}/{name}", token=job[1])
        assert (reply.status, reply.headers["content-type"]) == (200, "audio/wav")
        assert len(reply.body) == 44 + 4800
        assert reply.headers["cache-control"] == "no-store"
    reply = server.call("GET", f"{job[0]}/analysis", token=job[1])
    assert reply.json == {"frame_period": 0.01, "line": "ok"}
    assert server.call("DELETE", job[0], token=job[1]).status == 204
    assert server.call("GET", job[0], token=job[1]).status == 404
    assert job[0].rpartition("/")[2] not in server.folders


def test_progress_and_positions_reach_the_client(server):
    running, first, second = (server.start(line) for line in ("slow 1", "ok", "ok"))
    wait(lambda: 0 < server.state(running)["progress"] < 1)
    assert server.state(running)["state"] == "running"
    assert [server.state(job)["position"] for job in (first, second)] == [1, 2]
    assert server.call("GET", f"{first[0]}/result.wav", token=first[1]).status == 404
    assert {server.ended(job)["state"] for job in (running, first, second)} == {"done"}


def test_a_wrong_file_fails_with_its_sentence(server):
    state = server.ended(server.start("wrong"))
    assert (state["state"], state["error"]) == (
        "failed",
        "upload is no sound file; convert it",
    )
    reply = server.call("POST", "/api/convert?target=high", "wrong")
    assert (reply.status, reply.detail) == (422, "upload is no sound file; convert it")


def test_a_program_that_dies_is_replaced_and_its_job_tried_once_more(server):
    died = server.backend.metrics.workers_died
    once, twice = server.start("die once"), server.start("die")
    assert server.ended(once)["state"] == "done"
    state = server.ended(twice)
    assert state["state"] == "failed" and state["error"].startswith("the conversion ended")
    assert server.backend.metrics.workers_died == died + 3
    assert server.ended(server.start("ok"))["state"] == "done"


def test_a_running_job_is_cancelled_and_the_next_goes_on(server):
    running, waiting, behind = (server.start(line) for line in ("slow 20", "slow 20", "ok"))
    wait(lambda: server.state(running)["state"] == "running")
    for job in (waiting, running):
        assert server.call("DELETE", job[0], token=job[1]).status == 204
        assert server.state(job)["state"] == "cancelled"
    assert server.ended(behind)["state"] == "done"
    folder = server.backend.jobs.folder / running[0].rpartition("/")[2]
    assert os.listdir(folder) == ["job.json"]


def test_a_program_that_hangs_is_ended_by_cancelling(server, monkeypatch):
    monkeypatch.setattr(serve_jobs, "CANCEL_SECONDS", 0.1)
    job = server.start("hang")
    wait(lambda: server.state(job)["state"] == "running")
    (pid,) = server.backend.workers.pids
    server.call("DELETE", job[0], token=job[1])
    assert server.ended(server.start("ok"))["state"] == "done"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_who_leaves_a_conversion_has_cancelled_it(server):
    before = server.backend.metrics.jobs["cancelled"]
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(
            b"POST /api/convert?target=high HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 7\r\n\r\nslow 20"
        )
        wait(lambda: server.backend.jobs.count("running") == 1)
    wait(lambda: server.backend.metrics.jobs["cancelled"] == before + 1)
    wait(lambda: server.backend.jobs.n_open == 0)


def test_a_job_expires(server, now):
    job = server.start("ok")
    server.ended(job)
    now[0] += 3601
    server.backend.jobs.expire()
    assert server.call("GET", job[0], token=job[1]).status == 404
    assert job[0].rpartition("/")[2] not in server.folders


def test_a_thousand_jobs_meet_a_bounded_queue(server):
    server.start("slow 1.5")
    replies = [server.call("POST", "/api/jobs?target=high", "ok") for _ in range(1000)]
    taken = [one for one in replies if one.status == 202]
    refused = [one for one in replies if one.status == 503]
    assert len(taken) >= 19 and len(taken) + len(refused) == 1000
    assert {one.headers["retry-after"] for one in refused} == {"10"}
    assert {one.detail for one in refused} == {"the queue is full with 20 jobs; try again later"}
    jobs = [(f"/api/jobs/{one.json['id']}", one.json["token"]) for one in taken]
    assert {server.ended(job)["state"] for job in jobs} == {"done"}


def test_metrics_count(server):
    done = server.backend.metrics.jobs["done"]
    server.ended(server.start("ok"))
    reply = server.call("GET", "/metrics")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    lines = reply.body.decode().splitlines()
    assert f'voiceconv_jobs_total{{outcome="done"}} {done + 1}' in lines
    assert "voiceconv_jobs_queued 0" in lines
    assert f"voiceconv_conversion_seconds_count {done + 1}" in lines
    assert f'voiceconv_conversion_seconds_bucket{{le="+Inf"}} {done + 1}' in lines


def test_the_api_describes_itself_without_outside_addresses(server):
    described = server.call("GET", "/api/openapi.json").json
    paths = {path: sorted(methods) for path, methods in described["paths"].items()}
    assert paths["/api/jobs"] == ["post"]
    assert paths["/api/jobs/{id}"] == ["delete", "get"]
    page = server.call("GET", "/api/docs").body.decode()
    assert "<code>POST /api/jobs</code>" in page
    assert not [one for one in ("://", "<script", "src=", "style") if one in page]
    assert json.dumps(described)


def test_programs_refuse_unknown_models(tmp_path):
    with (
        pytest.raises(InputError, match="no model 'nowhere'"),
        served(tmp_path, given=("nowhere",)),
    ):
        pass


def test_a_conversion_that_takes_too_long_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("voiceconv.serve.settings.Settings.most_work", 5.0)
    with served(tmp_path) as one:
        state = one.ended(one.start("hang"))
        assert state["error"] == "the conversion took too long; send a shorter file"
        assert one.ended(one.start("ok"))["state"] == "done"


def test_the_servers_own_process_has_no_torch():
    code = "import sys, voiceconv.serve.server; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--most-bytes", "many"], "--most-bytes 'many' is no number with one of the units B, kB"),
        (["--most-bytes", "1h"], "--most-bytes '1h' is no number"),
        (["--keep", "0h"], "--keep '0h' is no number with one of the units s, m, h, d; write 1h"),
        (["--host", ""], "--host is empty"),
        (["--model", "../nowhere"], "no model '../nowhere'"),
    ],
)
def test_wrong_options_are_said_in_a_sentence(monkeypatch, capsys, tmp_path, arguments, said):
    outcome = make_cli(monkeypatch, capsys)("serve", "--folder", tmp_path, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"voiceconv: error: {said}")


def test_measures_have_units():
    assert _measured("100MB", BYTES, "", "") == 100_000_000
    assert _measured("1.5h", SECONDS, "", "") == 5400
    assert _measured("90", SECONDS, "", "") == 90
