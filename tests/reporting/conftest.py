"""Fixtures of the tests of the views."""

from typing import Any

from aiohttp.test_utils import TestClient
import pytest

from tests.signed_station import SignedStation


@pytest.fixture
def signed(client: TestClient[Any, Any]) -> SignedStation:
    """Return a station that signs its reports."""
    return SignedStation(client)
