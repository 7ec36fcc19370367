"""The files that docs/cluster.md shows for Slurm and Kubernetes, tried as far as a machine without these can."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"
NOTE = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\n'
STUBS = {
    "ray": NOTE,
    "sprout": NOTE,
    "sleep": "#!/bin/sh\n",
    "scontrol": "#!/bin/sh\nprintf 'n1\\nn2\\nn3\\n'\n",
    # It runs what comes behind its own options here, and notes on which machines that would be.
    "srun": """#!/bin/sh
where=""
while :; do
  case "$1" in
    -w) where="on $2"; shift 2 ;;
    --exclude=*) where="not on ${1#--exclude=}"; shift ;;
    -*) shift ;;
    *) break ;;
  esac
done
echo "$where: $*" >> "$CALLS"
""",
}


def shown(name: str) -> str:
    (text,) = re.findall(
        rf"<!-- file: {re.escape(name)} -->\n```\w+\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.M
    )
    return str(text)


def test_the_script_for_slurm_starts_a_head_joins_all_others_to_it_and_runs_sprout_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in STUBS.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    script, calls = tmp_path / "sprout.sbatch", tmp_path / "calls"
    script.write_text(shown("sprout.sbatch") + "wait\n", encoding="utf-8")
    slurm = {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_NNODES": "3", "SLURM_CPUS_PER_TASK": "32", "CALLS": str(calls)}

    subprocess.run(["sh", "-eu", script], check=True, env=slurm | {"PATH": f"{folder}:{os.environ['PATH']}"})

    head, others, run = sorted(
        calls.read_text("utf-8").splitlines(), key=lambda line: ("sprout" in line, "not" in line)
    )
    assert head.startswith("on n1: ray start --head --port 6379 --num-cpus 32")
    assert others.startswith("not on n1: ray start --address n1:6379 --num-cpus 32")
    assert run.startswith("on n1: sprout run cluster.toml")
    assert run.endswith("engine.address=n1:6379")


def test_the_options_of_ray_start_that_are_shown_are_there() -> None:
    scripts: Any = pytest.importorskip("ray.scripts.scripts", reason="ray is not installed")
    there = {option for parameter in scripts.start.params for option in parameter.opts}

    used = {
        word
        for line in re.findall(r"ray start.*|ray=\".*", PAGE.read_text("utf-8"))
        for word in re.findall(r"--[\w-]+", line)
    }
    assert len(used) >= 5
    assert used <= there


def test_the_file_for_kubernetes_is_a_ray_cluster_with_the_same_token_and_model_everywhere() -> None:
    yaml: Any = pytest.importorskip("yaml", reason="PyYAML is not installed")

    found = yaml.safe_load(shown("sprout-cluster.yaml"))

    assert (found["apiVersion"], found["kind"]) == ("ray.io/v1", "RayCluster")
    (workers,) = found["spec"]["workerGroupSpecs"]
    pods = [group["template"]["spec"] for group in (found["spec"]["headGroupSpec"], workers)]
    containers = [pod["containers"][0] for pod in pods]
    assert containers[0]["image"] == containers[1]["image"]
    assert containers[0]["env"] == containers[1]["env"]
    for pod, container in zip(pods, containers, strict=True):
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        assert "models" in mounted
    assert "nvidia.com/gpu" in containers[1]["resources"]["limits"]
