"""The console's files: found by path, cached by name, never outside their folder."""

from __future__ import annotations

import pytest

INDEX = "<!doctype html><title>console</title>"
SCRIPT = "console.log('hello');\n" * 200


@pytest.fixture
def built(world):
    """A built console, with a secret beside it."""
    (world.dist / "assets").mkdir(parents=True)
    (world.dist / "index.html").write_text(INDEX)
    (world.dist / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (world.dist / "assets" / "app-1a2b.js").write_text(SCRIPT)
    (world.dist.parent / "secret.txt").write_text("secret")
    return world.dist


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/",
        "/admin/usage",
        "/admin/ai-control/x",
        "/compliance-center",
        "/compliance-center/a",
    ],
)
def test_every_page_of_the_console_is_its_index(client, built, path):
    answer = client.get(path)

    assert (answer.status_code, answer.text) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_hashed_files_are_kept_for_ever_and_come_compressed(client, built):
    answer = client.get("/admin/assets/app-1a2b.js")

    assert answer.text == SCRIPT
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"


def test_clients_without_gzip_get_the_file_as_it_is(client, built):
    answer = client.get("/admin/assets/app-1a2b.js", headers={"accept-encoding": "identity"})

    assert answer.text == SCRIPT
    assert "content-encoding" not in answer.headers


def test_an_unchanged_file_is_304(client, built):
    etag = client.get("/admin").headers["etag"]

    again = client.get("/admin", headers={"if-none-match": etag})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag


def test_a_new_build_is_seen_without_a_restart(client, built):
    client.get("/admin")

    (built / "index.html").write_text(INDEX + "<p>new")

    assert client.get("/admin").text.endswith("<p>new")


@pytest.mark.parametrize(
    "path",
    [
        "/admin/../secret.txt",
        "/admin/%2e%2e/secret.txt",
        "/admin/..%2fsecret.txt",
        "/admin//etc/passwd.txt",
        "/admin/assets/../../secret.txt",
        "/admin/assets/missing.js",
        "/admin/%00.js",
        "/admin/" + "a" * 5000 + ".js",
    ],
)
def test_nothing_outside_the_folder_is_ever_served(client, built, path):
    answer = client.get(path)

    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_icon_and_root_lead_to_the_console(client, built):
    assert client.get("/favicon.ico").headers["content-type"].startswith("image/svg+xml")
    assert client.get("/", follow_redirects=False).headers["location"] == "/admin"


def test_without_a_build_the_page_says_what_to_do(client):
    answer = client.get("/admin")

    assert answer.status_code == 503
    assert "aios ui build" in answer.text
