"""Who runs the work: shards of a list, local processes, clusters, progress, and faults for tests.

A stage cuts its work into a fixed list of parts; a shard is a contiguous run of them; an executor
is handed the function that does one item. Nothing here knows what the work is.
"""

from auglift.executors.faults import InjectedFaultError, fault_point
from auglift.executors.local import Outcome, run_locally
from auglift.executors.progress import Advance, Progress, silent
from auglift.executors.shards import Shard, parse_shard

__all__ = [
    "Advance",
    "InjectedFaultError",
    "Outcome",
    "Progress",
    "Shard",
    "fault_point",
    "parse_shard",
    "run_locally",
    "silent",
]
