"""Files to import: uploads, and files that Home Assistant may read."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from homeassistant.components.file_upload import process_uploaded_file
from homeassistant.core import HomeAssistant

from ..messages import invalid

type OpenFile = Callable[[], AbstractContextManager[Path]]


@contextmanager
def uploaded_file(hass: HomeAssistant, file_id: str) -> Generator[Path]:
    """Yield an uploaded file, and delete it afterwards.

    Raises ServiceValidationError if it is not there any more.
    """
    try:
        with process_uploaded_file(hass, file_id) as path:
            yield path
    except ValueError as err:
        raise invalid("upload_not_found") from err


@contextmanager
def allowed_file(hass: HomeAssistant, path: str) -> Generator[Path]:
    """Return a file that Home Assistant is allowed to read.

    Raises ServiceValidationError.
    """
    # A relative path starts at the configuration folder.
    path = hass.config.path(path)
    if "\0" in path or not hass.config.is_allowed_path(path):
        raise invalid("path_not_allowed", path=path)
    if not (file := Path(path)).is_file():
        raise invalid("file_not_found", path=path)
    yield file
