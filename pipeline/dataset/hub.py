"""Uploads a finished dataset to the Hugging Face hub."""

import logging
from pathlib import Path

from pipeline.errors import SproutError

logger = logging.getLogger(__name__)


def check_hub(name: str) -> None:
    """See that a folder can be uploaded, as far as that can be told without the network.

    Raises:
        SproutError: for a name the hub does not take, without a token, and where the network is not to be used.
    """
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise SproutError(f"export.push_to_hub: {' '.join(str(error).split())}") from None
    if constants.HF_HUB_OFFLINE:
        raise SproutError(
            f"export.push_to_hub: HF_HUB_OFFLINE=1 forbids uploading {name}; unset that, or leave out push_to_hub"
        )
    if not get_token():
        raise SproutError(
            f"export.push_to_hub: there is no token to upload {name} with; run `hf auth login`, or set HF_TOKEN"
        )


def push(folder: Path, name: str, private: bool) -> None:
    """Upload a finished dataset; a repository of that name is made if there is none yet.

    Raises:
        SproutError: if the hub cannot be reached, or refuses it. The folder is as it was.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # that of httpx, or of its successor

    api = HfApi()
    try:
        url = api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            folder_path=folder, repo_id=url.repo_id, repo_type="dataset", commit_message="Dataset made with Sprout"
        )
    except (HTTPError, ConnectionError) as error:
        problem = getattr(error, "server_message", None) or str(error).partition("\n")[0] or type(error).__name__
        raise SproutError(
            f"{folder} is finished but could not be uploaded to {name} on {api.endpoint}: {' '.join(problem.split())}; "
            f"the same command tries again"
        ) from None
    except ValueError as error:  # for a card that the hub does not take
        advice = 'set export.licence to one of these, or to "other"' if '"license"' in str(error) else "mend its card"
        raise SproutError(
            f"{folder} is finished but {name} on {api.endpoint} does not take it: {' '.join(str(error).split())}; "
            f"{advice}, and run the same command again"
        ) from None
    logger.info("export: %s is on the hub: %s", folder, url)
