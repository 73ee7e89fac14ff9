"""A Ray cluster on this machine, in a process of its own: prints where it is, ends with its stdin."""

import json
import os
import sys

if __name__ == "__main__":
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    raylets = {}
    for name in ("one", "two"):
        node = cluster.add_node(num_cpus=1, resources={"stepbench": 1}, node_name=name, **small)
        raylets[name] = node.all_processes["raylet"][0].process.pid
    cluster.wait_for_nodes()
    print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
    sys.stdin.read()
    cluster.shutdown()
