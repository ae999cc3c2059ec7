"""What a study tells a crowd platform: checked when it is given, and shown instead of own codes."""

import json
import re

import pytest
from fastapi.testclient import TestClient
from serving import given, served_folder
from tiny_test import tiny_test

from voiceconv.errors import InputError
from voiceconv.listen.completion import OWN_CODES, Completion
from voiceconv.listen.manifest import FILE, Test, public, read_test
from voiceconv.listen.serving.server import make_app

URL = "https://app.prolific.com/submissions/complete?cc=C1A2&x=%20"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "C1A2",
        "app.prolific.com/complete",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://",
        "https://a b/",
        "https://a/\n",
        'https://a/"onclick=1',
        "https://a:99999/",
        "https://a/" + "x" * 2000,
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError, match="is no address of a page; copy the whole of it"):
        Completion(url)


@pytest.mark.parametrize("code", ["", " ", "two\nlines", "x" * 65])
def test_what_is_no_code_is_refused(code):
    with pytest.raises(InputError, match="is not 1 to 64 characters on one line"):
        Completion(URL, code)


def test_the_manifest_and_the_page_have_it_and_older_manifests_have_none(tmp_path):
    folder, test = served_folder(tmp_path / "test")
    content = test.to_json() | {"completion": {"url": URL, "code": "C1A2"}}
    assert Test.from_json(content).completion == Completion(URL, "C1A2")
    assert public(Test.from_json(content))["completion"] == {"url": URL, "code": "C1A2"}
    del content["completion"]
    (folder / FILE).write_text(json.dumps(content), encoding="utf-8")
    assert read_test(folder).completion == OWN_CODES
    assert Completion(URL).beside(Completion("http://b/", "C")) == Completion(URL, "C")


@pytest.mark.parametrize(
    ("completion", "code"),
    [(Completion(URL, "C1A2"), "C1A2"), (Completion(URL), None), (Completion(None, "C1"), "C1")],
)
def test_a_listener_ends_with_the_studys_link_and_code(tmp_path, completion, code):
    folder, test = served_folder(tmp_path / "test")
    with TestClient(make_app(folder, "correct horse", completion=completion)) as client:
        token = client.post("/api/session", json={"consent": True}).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        for turn in test.lists[0]:
            client.post("/api/answers", json=given(test, turn), headers=headers)
        end = client.post("/api/finish", json={}, headers=headers).json()
        assert end == {"code": code, "url": completion.url}
        view = client.get("/admin", auth=("", "correct horse")).text
    assert re.search(r"<td>[0-9A-F]{8}</td>", view)  # the experimenter sees own codes all the same


def test_a_missing_stimulus_is_named_before_anybody_listens(tmp_path):
    folder, _ = served_folder(tmp_path / "test")
    one = next(iter(tiny_test().stimuli.values()))
    path = folder / f"page/stimuli/{one.id}.wav"
    path.unlink()
    said = f"^{path} is not there, which is {one.item} by {one.system}; 1 of 8 stimuli are missing"
    with pytest.raises(InputError, match=said):
        make_app(folder, "correct horse")
