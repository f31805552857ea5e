"""Deleting users at Heap: a token, a request of at most 10,000 users, and its status.

Source: Heap's reference on user deletion, read November 2026: the key goes with the id of the main
production environment, a token holds five minutes, and the users go from all environments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import requests

MOST_USERS = 10_000
_TIMEOUT = (3.05, 20)
_DONE = frozenset({"complete", "completed", "done", "finished", "success", "succeeded"})
_FAILED = frozenset({"failed", "error", "rejected"})
# Events go to a host of their own in the EU; deletion has one for both.
_EU_EVENTS = ".heap-api.com"
_DELETION = "https://heapanalytics.com"


class NotDeleted(Exception):
    """Heap did not take or finish a deletion; the text is the operator's, without any user.

    is_over: a deletion that Heap had taken will not be finished; it must be asked for again.
    """

    def __init__(self, reason: str, *, is_over: bool = False) -> None:
        super().__init__(reason)
        self.is_over = is_over


@dataclass(frozen=True, slots=True)
class Deletion:
    """Heap's user deletion for one environment.

    url: where events go; the key is never sent elsewhere than to Heap or a sandbox there.
    """

    url: str
    app_id: str
    api_key: str

    def begin(self, users: Sequence[tuple[str, str]]) -> str:
        """Ask for users to be deleted; return Heap's id of the request. Raises NotDeleted.

        users: each as Heap knows it, (`identity` or `user_id`, which).
        """
        body = {"users": [dict([user]) for user in users]}
        told = self._told("POST", "user_deletion", json=body)
        request = told.get("deletion_request_id")
        if not isinstance(request, str | int) or not str(request):
            raise NotDeleted("Heap's answer to the deletion cannot be read")
        return str(request)

    def is_done(self, request: str) -> bool:
        """Return whether a deletion is finished. Raises NotDeleted, also where Heap gave it up."""
        told = self._told("GET", f"deletion_status/{quote(request, safe='')}")
        status = str(told.get("status", "")).lower()
        if status in _FAILED:
            raise NotDeleted("Heap gave the deletion up; it is asked for again", is_over=True)
        return status in _DONE

    def _told(self, method: str, path: str, json: object = None) -> dict[str, object]:
        token = self._answer("POST", "auth_token", auth=(self.app_id, self.api_key))
        access = token.get("access_token")
        if not isinstance(access, str):
            raise NotDeleted("Heap gives no token for HEAP_API_KEY: is it of this environment?")
        return self._answer(method, path, json=json, headers={"Authorization": f"Bearer {access}"})

    def _answer(self, method: str, path: str, **more: object) -> dict[str, object]:
        host = _DELETION if self.url.endswith(_EU_EVENTS) else self.url
        try:
            answer = requests.request(
                method,
                f"{host}/api/public/v0/{path}",
                timeout=_TIMEOUT,
                allow_redirects=False,
                **more,  # type: ignore[arg-type] # requests' own keywords
            )
        except requests.RequestException:
            raise NotDeleted("Heap could not be reached for the deletion") from None
        if answer.status_code in {401, 403}:
            raise NotDeleted("Heap does not accept HEAP_API_KEY for this environment")
        if answer.status_code >= 300:  # noqa: PLR2004 - the first that is no success
            raise NotDeleted(f"Heap did not take the deletion ({answer.status_code})")
        try:
            told = answer.json()
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise NotDeleted("Heap's answer to the deletion cannot be read")
        return told
