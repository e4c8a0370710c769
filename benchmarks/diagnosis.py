"""What a diagnosis costs: 20 hosts with 1,000 entities, a calm one and one with many faults; processor milliseconds."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta

from debugtui.config.models import Config
from debugtui.diagnosis.engine import diagnose
from debugtui.diagnosis.found import Memory
from debugtui.fleet.topology.build import build_topology
from debugtui.model.source import FleetView
from tests.unit.diagnosis.build import (
    box,
    chain,
    docker,
    filesystem,
    host,
    libvirt,
    nginx,
    postgres,
    system,
    upstream,
    view,
    vm,
    web,
)

HOSTS, CONTAINERS, VMS, ROUNDS = 20, 37, 8, 5


def world(*, faults: int) -> FleetView:
    """Return a fleet; the first `faults` of its hosts have a fault in each layer."""
    hosts = []
    for number in range(HOSTS):
        bad = number < faults
        boxes = [
            box(f"h{number}-app-{one}", health="healthy", ports=(f"127.0.0.1:{8000 + one}->80/tcp",))
            for one in range(CONTAINERS)
        ]
        machines = [vm(f"h{number}-vm-{one}") for one in range(VMS)]
        if bad:
            boxes[0] = box(f"h{number}-app-0", "restarting", looping=True, exit_code=1, restart_policy="always")
            boxes[1] = box(f"h{number}-app-1", health="unhealthy")
            machines[0] = vm(f"h{number}-vm-0", "paused", "I/O error")
        hosts.append(
            host(
                f"kvm-{number:02d}",
                system(filesystems=(filesystem(99 if bad else 40, "/var"),)),
                docker(*boxes),
                libvirt(*machines),
                postgres("shop", **(chain(900) if bad else {})),
                postgres("plans"),
                web("front", 502 if bad else 200),
                nginx(upstreams=(upstream("backend", port_8000=not bad),)),
            )
        )
    return view(*hosts)


def cost(fleet: FleetView) -> tuple[float, float, int]:
    """Return the median processor milliseconds of topology and diagnosis, and how many causes there are."""
    config, topologies, diagnoses, causes = Config(), [], [], 0
    for _ in range(ROUNDS):
        began = time.process_time()
        topology = build_topology(fleet, config)
        topologies.append(1000 * (time.process_time() - began))
        began = time.process_time()
        memory = Memory()
        memory.note(fleet)
        seen = {key: at - timedelta(seconds=2) for key, at in memory.seen.items()}
        causes = len(diagnose(fleet, topology, history=seen).findings)
        diagnoses.append(1000 * (time.process_time() - began))
    return statistics.median(topologies), statistics.median(diagnoses), causes


def main() -> None:
    """Print the table."""
    print(f"diagnosis of {HOSTS} hosts, {HOSTS * (CONTAINERS + VMS + 5)} entities, processor ms (median of {ROUNDS})")
    for words, faults in (("calm", 0), ("one host with faults in every layer", 1), ("all hosts with faults", HOSTS)):
        topology, diagnosis, causes = cost(world(faults=faults))
        print(f"  {words:<38} topology {topology:6.0f}   diagnosis {diagnosis:6.0f}   causes {causes}")


if __name__ == "__main__":
    main()
