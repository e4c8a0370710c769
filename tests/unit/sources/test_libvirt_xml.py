"""XML from a host that may be hostile."""

from __future__ import annotations

import time

import pytest

from debugtui.sources.libvirt.domain_xml import SIZE, facts_of, parse

DOMAIN = """<domain type='kvm'>
  <title>[@click=app.quit]x[/] \u202e</title>
  <devices>
    <disk type='file'><driver type='qcow2'/><source file='/s/a.qcow2'/><target dev='vda'/></disk>
    <disk type='block'><source dev='/dev/vg/b'/><target dev='vdb'/></disk>
    <disk type='volume'><source pool='fast' volume='c'/><target dev='vdc'/></disk>
    <disk type='network'><source protocol='rbd' name='pool/d'/><target dev='vdd'/></disk>
    <disk type='file' device='cdrom'><target dev='sda'/></disk>
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><target dev='vnet0'/></interface>
    <interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/></interface>
    <interface type='user'><mac address='52:54:00:00:00:03'/></interface>
    {console}
  </devices>
</domain>"""


def test_disks_cards_and_title() -> None:
    facts = facts_of(DOMAIN)
    assert facts.disks == {
        "vda": ("qcow2", "/s/a.qcow2"), "vdb": ("", "/dev/vg/b"), "vdc": ("", "fast/c"), "vdd": ("", "pool/d"), "sda": ("", ""),
    }  # fmt: skip
    assert [card[2] for card in facts.cards] == ["default", "br0", "user"]
    assert facts.title == "[@click=app.quit]x[/] <202E>"
    assert facts.readable


@pytest.mark.parametrize(
    ("console", "path"),
    [
        ("<serial type='pty'><log file='/l/1.log' append='on'/></serial>", "/l/1.log"),
        ("<serial type='file'><source path='/l/2.log'/></serial>", "/l/2.log"),
        ("<serial type='pty'/><console type='pty'><log file='/l/3.log'/></console>", "/l/3.log"),
        ("<serial type='pty'><source path='/dev/pts/1'/></serial>", ""),
        ("", ""),
    ],
)
def test_where_the_console_is_logged(console: str, path: str) -> None:
    assert facts_of(DOMAIN.format(console=console)).console_log == path


BOMB = (
    '<!DOCTYPE a [<!ENTITY x0 "' + "y" * 1000 + '">'
    + "".join(f'<!ENTITY x{number} "{f"&x{number - 1};" * 10}">' for number in range(1, 9))
    + "]><domain><title>&x8;</title></domain>"
)  # fmt: skip


@pytest.mark.parametrize(
    "xml",
    [
        BOMB,
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><title>&x;</title></domain>",
        "<domain><title>&undeclared;</title></domain>",
        "<domain><title>half",
        "",
        "\x00",
        "<domain>" + " " * SIZE + "</domain>",
    ],
    ids=["bomb", "file", "undeclared", "half", "empty", "nul", "large"],
)
def test_what_cannot_be_looked_into_says_so(xml: str) -> None:
    began = time.monotonic()
    assert not facts_of(xml).readable
    assert parse(xml) is None
    assert time.monotonic() - began < 0.5


def test_deep_xml_is_no_trap() -> None:
    assert facts_of("<a>" * 60_000 + "</a>" * 60_000).readable
