"""VMs, virtual networks and storage pools, read through libvirt's socket over the host's link."""

from debugtui.sources.libvirt.source import LibvirtSource

__all__ = ["LibvirtSource"]
