"""Data sets from the network: a server on this machine serves them, breaks off, and lies."""

import functools
import hashlib
import http.server
import resource
import subprocess
import threading
from pathlib import Path

import pytest

from bpcjax import data
from bpcjax.data.download import download
from bpcjax.data.files import File
from bpcjax.data.loading import load_set
from tests.support.datasets import check, tiny


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; its first answer breaks off in the middle, later ones go on from there."""

    breaks = 1
    asked: list[str | None] = []

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.exists():
            self.send_error(404)
            return
        content = path.read_bytes()
        asked = self.headers.get("Range")
        self.asked.append(asked)
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if type(self).breaks:
            type(self).breaks -= 1
            self.wfile.write(content[begin : begin + len(content) // 2])
            self.close_connection = True
        else:
            self.wfile.write(content[begin:])

    def log_message(self, format, *args):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder, its address, and the requests it got."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = type("OwnServer", (Server,), {"asked": []})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/", handler
        server.shutdown()
        thread.join()


def test_a_download_that_broke_off_goes_on(served, tmp_path, monkeypatch):
    monkeypatch.delenv("BPCJAX_DATA", raising=False)
    folder, url, handler = served
    dataset, arrays = tiny(folder, url)
    cache = tmp_path / "cache"
    with pytest.raises(data.DataError, match="data_dir: .*tiny.*cannot be reached.*goes on"):
        load_set([dataset], "train", cache_dir=cache)
    (part,) = cache.rglob("*.part")
    size = (folder / part.name.removesuffix(".part")).stat().st_size // 2
    assert part.stat().st_size == size
    check(load_set([dataset], "train", cache_dir=cache), arrays)
    assert handler.asked == [None, f"bytes={size}-", None, None, None]
    assert not list(cache.rglob("*.part"))
    check(load_set([dataset], "test", cache_dir=cache), arrays, "t10k")
    subprocess.run(["rm", "-r", cache / dataset.mark], check=True)
    check(load_set([dataset], "train", cache_dir=cache), arrays)  # from what was fetched
    assert len(handler.asked) == 5


def test_a_download_of_other_bytes_is_not_kept(served, tmp_path):
    folder, url, handler = served
    handler.breaks = 0
    (folder / "a.gz").write_bytes(b"an apology")
    with pytest.raises(data.DataError, match=r"a.gz.* official 0000.*It came from http://127"):
        download("tiny", [File("a.gz", "0000", f"{url}a.gz")], tmp_path / "into")
    assert not list((tmp_path / "into").iterdir())
    # A part that is longer than the file: begun anew.
    (tmp_path / "into" / "a.gz.part").write_bytes(b"more than an apology")
    right = File("a.gz", hashlib.sha256(b"an apology").hexdigest(), f"{url}a.gz")
    result = download("tiny", [right], tmp_path / "into")
    assert result["a.gz"].read_bytes() == b"an apology"
    missing = File("b.gz", right.sum, f"{url}b.gz")
    with pytest.raises(data.DataError, match="no tiny; http://127.*b.gz says HTTP Error 404"):
        download("tiny", [missing], tmp_path / "into")


def test_a_download_on_a_full_disk(served, tmp_path):
    folder, url, handler = served
    handler.breaks = 0
    (folder / "a.gz").write_bytes(bytes(500_000))
    right = File("a.gz", hashlib.sha256(bytes(500_000)).hexdigest(), f"{url}a.gz")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, old[1]))
    try:
        with pytest.raises(data.DataError, match="cache_dir: writing to .*File too large.*Free"):
            download("tiny", [right], tmp_path / "into")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert [path.name for path in (tmp_path / "into").iterdir()] == ["a.gz.part"]
    assert download("tiny", [right], tmp_path / "into")["a.gz"].stat().st_size == 500_000
    assert handler.asked == [None, "bytes=200000-"]


def test_without_folder_and_network(tmp_path, monkeypatch):
    monkeypatch.delenv("BPCJAX_DATA", raising=False)
    (tmp_path / "files").mkdir()
    dataset, _ = tiny(tmp_path / "files", train=3)
    with pytest.raises(
        data.DataError, match="no folder with tiny was named, and http://127.*cannot be reached"
    ) as error:
        load_set([dataset], "train", cache_dir=tmp_path / "cache")
    assert "BPCJAX_DATA" in str(error.value) and "train-images-idx3-ubyte.gz" in str(error.value)
    with pytest.raises(data.DataError, match="data_dir: other must be on disk, there is no downl"):
        download("other", [File("a", "b")], tmp_path)
