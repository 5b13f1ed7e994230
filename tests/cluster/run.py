"""Runs a cluster until it is interrupted (`make cluster`)."""

import signal

from cluster import Cluster

# SIGTERM also stops the cluster.
signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
with Cluster() as cluster:
    print(f"API         {cluster.url}/v2\nPrometheus  {cluster.prometheus}\nFolder      {cluster.folder}\n\nStop with Ctrl-C.", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass
