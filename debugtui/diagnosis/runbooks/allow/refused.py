"""What people reach for and may not have, with the way that there is."""

from __future__ import annotations

_SHELL = "there is no shell: a step is one program with its arguments"
_RUNS = "it runs other programs"
_EDITS = "it can write files: print what there is with tail or grep, and let the judge's pattern find the figure"
_HTTP = 'use a step of the kind "http": it only sends GET'
_DOCKER = 'containers are seen in the reading of Docker, their logs by a step of the kind "logs"'

REFUSED: dict[str, str] = {
    **dict.fromkeys(("sh", "bash", "dash", "zsh", "ksh", "fish"), _SHELL),
    **dict.fromkeys(
        ("env", "sudo", "doas", "su", "nice", "timeout", "nohup", "xargs", "watch", "ssh", "chroot", "nsenter"), _RUNS
    ),
    **dict.fromkeys(
        ("python", "python3", "perl", "ruby", "node", "awk", "gawk", "mawk"), "it is a language: it can do anything"
    ),
    **dict.fromkeys(("sed", "sort", "tee", "dd", "vi", "vim", "nano"), _EDITS),
    **dict.fromkeys(("less", "more", "man"), "it can run a shell; tail and head show the same"),
    **dict.fromkeys(("curl", "wget", "http"), _HTTP),
    **dict.fromkeys(("psql", "pg_ctl", "pg_ctlcluster"), 'use a step of the kind "sql": it reads with a time limit'),
    **dict.fromkeys(("docker", "podman", "docker-compose", "crictl", "kubectl"), _DOCKER),
    "virsh": "VMs are seen in the reading of libvirt",
    **dict.fromkeys(("redis-cli", "rabbitmqctl"), "queues are seen in the readings of Redis and RabbitMQ"),
    **dict.fromkeys(
        ("rm", "mv", "cp", "chmod", "chown", "truncate", "kill", "pkill", "killall", "reboot"), "it changes the host"
    ),
    "mount": "it can mount; findmnt shows what is",
    "hostname": "with a word it sets the name; uname -n shows it",
    "sysctl": "it can set values; cat /proc/sys/... shows one",
    "tcpdump": "it sees what people send",
    "strace": "it stops what it looks at",
}
