"""The token of a cluster: from the environment, or from a file that it names; Ray is not asked before that is read."""

import os
import sys
from pathlib import Path

import pytest

from pipeline.engines.ray.cluster import Cluster
from pipeline.errors import SproutError


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory); name a file with the token"),
        (b" \n", "is empty; write the token of the cluster's head into it"),
        (b"\xff\xfe", "cannot be read ("),
    ],
)
def test_a_file_without_a_token_is_named_as_ray_would_end_the_process_for_it(
    content: bytes | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))

    with pytest.raises(SproutError) as error:
        Cluster("10.0.0.1:6379")
    assert str(error.value).startswith(f"RAY_AUTH_TOKEN_PATH: {path} {said}")


@pytest.mark.parametrize(
    ("name", "address", "mode"),
    [
        ("RAY_AUTH_TOKEN", "10.0.0.1:6379", "token"),
        ("RAY_AUTH_TOKEN_PATH", "10.0.0.1:6379", "token"),
        ("RAY_AUTH_TOKEN_PATH", None, "disabled"),  # a cluster of its own has a token of its own
    ],
)
def test_a_token_that_is_there_is_sent(
    name: str, address: str | None, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("abc\n")
    for one in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    del os.environ["RAY_AUTH_MODE"]
    monkeypatch.setenv(name, str(tmp_path / "token"))
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(SproutError, match="ray cannot be imported"):
        Cluster(address)
    assert os.environ.get("RAY_AUTH_MODE", "disabled") == mode
