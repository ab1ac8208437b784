"""Without rerun's SDK the error names the extra; with it, a recording is written."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from auglift.errors import MissingExtraError
from auglift.outputs.rerun_log import write_rrd


def test_without_rerun_the_error_says_what_to_install(tmp_path, walk, lifted, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(MissingExtraError, match=r"auglift\[view\]"):
        write_rrd(tmp_path / "a.rrd", lifted(walk))
    assert not list(tmp_path.iterdir())


def test_a_recording_is_written(tmp_path, walk, lifted):
    pytest.importorskip("rerun", reason="the extra view is not installed")
    walk[2] = np.nan
    write_rrd(tmp_path / "a.rrd", lifted(walk))
    assert (tmp_path / "a.rrd").read_bytes()[:3] == b"RRF"
    assert [path.name for path in tmp_path.iterdir()] == ["a.rrd"]
