"""`python -m auglift.executors.torchrun_worker WORK`: one of the processes that torchrun starts.

WORK is a pickle of a function and its item. An error is left beside it, for who started torchrun.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
from pathlib import Path

from auglift.errors import AugliftError


def work(path: Path) -> None:
    """Call the function; leave its error, and raise it."""
    function, item = pickle.loads(path.read_bytes())
    try:
        function(item)
    except Exception as error:
        # Whatever it was, it can be pickled as this.
        left = error if isinstance(error, AugliftError) else AugliftError(_named(error))
        path.with_name(f"{os.environ['RANK']}.error").write_bytes(pickle.dumps(left))
        raise


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    leads = os.environ["RANK"] == "0"
    logging.basicConfig(
        level=logging.INFO if leads else logging.ERROR, format="%(asctime)s %(message)s"
    )
    work(Path(sys.argv[1]))
