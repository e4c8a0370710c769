"""What a definition says of disks, and whether one holds what a file asked for."""

from __future__ import annotations

import pytest

from debugtui.remediation.catalogue.libvirt.storage import Space, disks_of
from debugtui.remediation.catalogue.libvirt.xml_match import missing

CHAIN = """<domain><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/s/c'/>
<backingStore type='file'><source file='/s/b'/>
<backingStore type='block'><source dev='/dev/vg/a'/><backingStore/></backingStore></backingStore>
<mirror type='file' job='active-commit' ready='yes'><source file='/s/b'/></mirror><target dev='vda'/></disk>
<disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>
<disk type='network' device='disk'><source protocol='rbd' name='p/i'/><target dev='vdb'/><shareable/></disk>
</devices></domain>"""


def test_disks_and_their_chains() -> None:
    first, cdrom, network = disks_of(CHAIN)
    assert (first.device, first.path, first.backing, first.mirror, first.job) == (
        "vda", "/s/c", ("/s/b", "/dev/vg/a"), "yes", "active-commit",
    )  # fmt: skip
    assert first.writable
    assert not cdrom.writable
    assert (network.path, network.shareable, network.writable) == ("", True, False)


@pytest.mark.parametrize("xml", ["", "<domain>", "<!DOCTYPE x [<!ENTITY a 'b'>]><domain/>", "<domain/>"])
def test_what_is_no_definition_has_no_disks(xml: str) -> None:
    assert disks_of(xml) == ()


@pytest.mark.parametrize(
    ("kind", "shared"), [("nfs", True), ("fuseblk", True), ("smb2", True), ("ceph", True), ("xfs", False), ("ext2/ext3", False)]
)
def test_filesystems_of_several_hosts(kind: str, shared: bool) -> None:
    assert Space(kind, 100, 10).shared is shared


OLD = (
    "<domain><name>a</name><title>t</title><memory unit='KiB'>1024</memory>"
    "<os><type machine='pc-q35-7.2'>hvm</type></os></domain>"
)


@pytest.mark.parametrize(
    ("new", "kept", "lacks"),
    [
        (OLD, OLD, 0),
        # libvirt changes units and adds what it likes.
        (OLD.replace("'KiB'>1024", "'MiB'>2"), OLD.replace(">1024", ">2048").replace("</os>", "<boot dev='hd'/></os>"), 0),
        (OLD.replace("'KiB'>1024", "'MiB'>2"), OLD, 1),
        (OLD.replace("pc-q35-7.2", "q35"), OLD, 0),
        (OLD.replace("</os>", "<bootmenu enable='yes'/></os>"), OLD, 2),
        (OLD.replace("<title>t</title>", ""), OLD, 1),
        (OLD.replace("<title>t</title>", ""), OLD.replace("<title>t</title>", ""), 0),
        (OLD, "no xml", 1),
    ],
)
def test_what_was_asked_for_is_looked_for(new: str, kept: str, lacks: int) -> None:
    assert len(missing(OLD, new, kept)) == lacks
