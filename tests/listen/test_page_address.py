"""The start page below a path, with its slash or without it, and whatever else stands in a link."""

import functools
import re
from urllib.parse import urlsplit

import pytest
from browsing import PAGE_FILES, Watched, page_folder, served
from fastapi import FastAPI
from fastapi.testclient import TestClient
from serving import served_folder
from tiny_test import ITEMS, tiny_test

from voiceconv.listen.serving.guards import start_page_policy
from voiceconv.listen.serving.server import make_app

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """The page below /study of a server that gives it without the slash as well.

    The start page has the policy of our own server. Gives the address, and all paths asked for.
    """
    test = tiny_test("mos", items=ITEMS[:1], n_lists=1)
    page = page_folder(tmp_path_factory.mktemp("proxied") / "test", test)
    policy = start_page_policy((page / "index.html").read_bytes())
    asked = []

    def to_file(path):
        asked.append(urlsplit(path).path)
        inside = re.sub("^/study/?", "", urlsplit(path).path)
        return page / (inside or "index.html") if path.startswith("/study") else page / "none"

    with served(page, to_file, policy) as address:
        yield address, asked


@pytest.mark.parametrize("path", ["study?id=P7#top", "study/", "study/index.html?a=/b.c"])
def test_the_page_finds_its_files_below_a_path(browser, proxied, path):
    address, asked = proxied
    asked.clear()
    watched = Watched(browser)
    watched.page.goto(address + path)
    watched.page.wait_for_selector("main[data-page=consent]")
    assert watched.page.evaluate("document.baseURI") == f"{address}study/"
    assert "study/test.json" in "".join(asked) and "/test.json" not in asked
    blocked = [line for line in watched.said if "Security" in line or "base" in line]
    assert blocked == []
    watched.context.close()


def test_the_script_of_the_start_page_is_the_only_one_that_our_server_allows(tmp_path):
    folder, _ = served_folder(tmp_path / "test")
    page = (PAGE_FILES / "index.html").read_bytes()
    (folder / "page/index.html").write_bytes(page)
    with TestClient(make_app(folder, PASSWORD)) as client:
        policies = {
            path: client.get(path).headers["content-security-policy"]
            for path in ("/", "/index.html", "/test.json", "/admin")
        }
    assert policies["/"] == policies["/index.html"]
    assert re.search(r"script-src 'self' 'sha256-[\w+/]{43}='$", policies["/"])
    assert "base-uri 'self'" in policies["/"] and "unsafe" not in policies["/"]
    for path in ("/test.json", "/admin"):
        assert "script-src" not in policies[path] and "base-uri 'none'" in policies[path]


def test_a_proxys_second_slash_is_none(tmp_path):
    """`location /study { proxy_pass http://127.0.0.1:8000/; }` makes //api of /study/api."""
    folder, test = served_folder(tmp_path / "test")
    with TestClient(make_app(folder, PASSWORD)) as client:
        at = client.base_url
        assert client.get(f"{at}//api/test").json()["id"] == test.id
        assert client.get(f"{at}//").text == (folder / "page/index.html").read_text()


@pytest.mark.parametrize("below", ["", "/study"])
def test_the_experimenters_view_is_found_with_a_slash_too(tmp_path, below):
    folder, _ = served_folder(tmp_path / "test")
    app = make_app(folder, PASSWORD)
    if below:
        outer = FastAPI()
        outer.mount(below, app)
        app = outer
    with TestClient(app) as client:
        get = functools.partial(client.get, auth=("me", PASSWORD))
        assert get(f"{below}/admin/", follow_redirects=False).headers["location"] == "../admin"
        assert get(f"{below}/admin/").url.path == f"{below}/admin"
        assert get(f"{below}/admin/").status_code == 200
