"""Settings from an environment mapping."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks._errors import BadUsage
from tasks._settings import Settings, read_settings


def test_other_variables_are_not_ours() -> None:
    assert read_settings({"PATH": "/bin", "TAXIWAYS": "1", "FLYTE_PLATFORM_URL": "x"}) == Settings()


def test_every_kind_of_value_is_read() -> None:
    read = read_settings(
        {
            "TAXIWAY_ALLOW_FILE_URLS": "True",
            "TAXIWAY_IMAGE_ROOT": "/images",
            "TAXIWAY_DOCKER_HOST": "tcp://builder:2376",
            "TAXIWAY_MAX_BUNDLE_BYTES": "0",
            "TAXIWAY_RPC_TIMEOUT_S": "2.5",
            "TAXIWAY_RPC_PATIENCE_S": "0",
            "TAXIWAY_PLAIN_HTTP_REGISTRIES": "registry.internal:5000, mirror:80,",
        }
    )
    assert read == Settings(
        allow_file_urls=True,
        image_root=Path("/images"),
        docker_host="tcp://builder:2376",
        max_bundle_bytes=0,
        rpc_timeout_s=2.5,
        rpc_patience_s=0,
        plain_http_registries=("registry.internal:5000", "mirror:80"),
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TAXIWAY_MAX_BUNDEL_BYTES", "1"),
        ("TAXIWAY_MAX_BUNDLE_BYTES", "1e6"),
        ("TAXIWAY_MAX_BUNDLE_BYTES", "-1"),
        ("TAXIWAY_MAX_BUNDLE_BYTES", ""),
        ("TAXIWAY_RPC_TIMEOUT_S", "nan"),
        ("TAXIWAY_RPC_TIMEOUT_S", "-0.5"),
        ("TAXIWAY_ALLOW_FILE_URLS", "maybe"),
        ("TAXIWAY_IMAGE_ROOT", ""),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_name(key: str, value: str) -> None:
    with pytest.raises(BadUsage, match=key):
        read_settings({key: value})
