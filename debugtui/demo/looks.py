"""What the demo's hosts answer to the commands of runbooks: a calm machine, made here."""

from __future__ import annotations

_PS = """\
41.2  2301 12.4 4063232  864211 libvirt+ qemu-system-x86_64 -name guest=web-01
 6.1  1877  8.0 2621440  864190 postgres postgres: coach coach_app 10.0.3.14 idle in transaction
 2.0   912  1.1  360448  864300 root     /usr/bin/dockerd -H fd://
 0.3     1  0.1   12288  864400 root     /sbin/init
"""

#: Program -> what it writes, whatever it is asked.
ANSWERS: dict[str, str] = {
    "df": "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 103081248 73187686 24634298 75% /\n",
    "find": "",
    "free": "       total   used   free\nMem:   64290  24110  40180\nSwap:   8191      0   8191\n",
    "getent": "104.18.2.15     STREAM api.groq.com\n",
    "journalctl": "-- No entries --\n",
    "last": "ops      pts/0        10.0.9.4         Fri Mar 13 18:02 - 18:40  (00:38)\n",
    "ps": _PS,
    "ss": "LISTEN 0 4096 127.0.0.1:5432 0.0.0.0:*\nLISTEN 0 511 0.0.0.0:443 0.0.0.0:*\n",
    "timedatectl": "NTPSynchronized=yes\n",
    "uptime": " 09:26:53 up 10 days,  2:11,  1 user,  load average: 1.20, 1.10, 0.90\n",
    "vmstat": " r  b   swpd   free   si   so   us sy id wa st\n 1  0      0 401800    0    0   14  3 82  1  0\n",
}
