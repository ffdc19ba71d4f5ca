"""Every field as tshark reads it, of every recorded advert; in one file, since each tshark takes a second to start."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest

from hafw.listen.capture import frames_untrusted

CAPTURES = sorted((Path(__file__).parent.parent / "captures").glob("*.pcap"))


def fields_of(layers: dict) -> dict:
    """What tshark says, by our names."""
    kind = "ip" if "ip" in layers else "ipv6"
    ip, vrrp = layers[kind], layers["vrrp"]
    old = "vrrp.adver_int" in vrrp
    addresses = vrrp[f"vrrp.{kind}_addr"]
    return {
        "source": ip[f"{kind}.src"],
        "destination": ip[f"{kind}.dst"],
        "mac": layers["eth"]["eth.src"],
        "ttl": int(ip["ip.ttl" if kind == "ip" else "ipv6.hlim"]),
        "vrid": int(vrrp["vrrp.virt_rtr_id"]),
        "priority": int(vrrp["vrrp.prio"]),
        "count": int(vrrp["vrrp.addr_count"]),
        "checksum": int(vrrp["vrrp.checksum"], 16),
        "centiseconds": int(vrrp["vrrp.adver_int"]) * 100 if old else int(vrrp["vrrp.short_adver_int"]),
        "auth_type": int(vrrp["vrrp.auth_type"]) if old else None,
        "addresses": addresses if isinstance(addresses, list) else [addresses],
    }


@pytest.mark.peer("tshark")
def test_every_field_of_every_recorded_advert_is_what_tshark_reads(tmp_path, hear):
    merged = tmp_path / "all.pcapng"
    subprocess.run(["mergecap", "-a", "-F", "pcapng", "-w", merged, *CAPTURES], check=True, capture_output=True)
    words = ["tshark", "-n", "-r", merged, "-Y", "vrrp", "-T", "json", "--no-duplicate-keys"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    theirs = [each["_source"]["layers"] for each in json.loads(done.stdout)]
    heard, _ = hear(frames_untrusted(io.BytesIO(merged.read_bytes())))
    assert [
        {
            "source": str(each.packet.source),
            "destination": str(each.packet.destination),
            "mac": each.packet.link.source.hex(":"),
            "ttl": each.packet.ttl,
            "vrid": each.message.vrid,
            "priority": each.message.priority,
            "count": each.message.count,
            "checksum": each.message.checksum,
            "centiseconds": round(each.message.interval * 100),
            "auth_type": each.message.auth_type,
            "addresses": [str(address) for address in each.message.addresses],
        }
        for each in heard
    ] == [fields_of(layers) for layers in theirs]
    times = [float(layers["frame"]["frame.time_epoch"]) for layers in theirs]
    assert [each.packet.time for each in heard] == pytest.approx(times, abs=1e-6)
    assert len(heard) == 76
