"""What the tests of the admin side share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.admin import Admin, running_admin
from tests.support.stores import FakeStore


@pytest.fixture
def store() -> FakeStore:
    """An empty store in memory."""
    return FakeStore()


@pytest_asyncio.fixture
async def admin(store: FakeStore) -> AsyncIterator[Admin]:
    """The admin side over `store`."""
    async with running_admin(store) as running:
        yield running
