"""A Ray cluster in a process of its own, whose address it prints; it ends with its input. Arguments: CPUs of machines."""

import sys

import ray
from ray.cluster_utils import Cluster

if __name__ == "__main__":
    cluster = Cluster()
    for cpus in map(int, sys.argv[1:]):
        cluster.add_node(num_cpus=cpus, object_store_memory=100 << 20, include_dashboard=False)
    print(cluster.address, flush=True)
    sys.stdin.read()
    ray.shutdown()
    cluster.shutdown()
