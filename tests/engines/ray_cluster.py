"""A Ray cluster in a process of its own, which ends with its input. Arguments: CPUs of machines.

It prints its address and the number of the process that is its head.
"""

import sys

import ray
from ray.cluster_utils import Cluster

if __name__ == "__main__":
    cluster = Cluster()
    for cpus in map(int, sys.argv[1:]):
        cluster.add_node(num_cpus=cpus, object_store_memory=100 << 20, include_dashboard=False)
    head = cluster.head_node.all_processes["gcs_server"][0].process.pid
    print(cluster.address, head, flush=True)
    sys.stdin.read()
    ray.shutdown()
    cluster.shutdown()
